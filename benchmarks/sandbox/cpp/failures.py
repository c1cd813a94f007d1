"""C++ programs that are written out: shapes of input besides numbers, and every way to fail."""

# ruff: noqa: E501 - C++ in tables, one program a line

from __future__ import annotations

from benchmarks.sandbox.cpp.known import ALL, Case


def _main(body: str, front: str = "", head: str = ALL) -> str:
    return f"{head}{front}int main() {{\n  {body}\n}}\n"


def _right(
    name: str, code: str, *tests: tuple[str, str], language: str = "cpp17", memory_mb: int = 256
) -> Case:
    return Case(name, "right", code, tests, language=language, memory_mb=memory_mb)


def _fails(
    name: str, kind: str, code: str, failure: str = "", *, text: str = "1\n", memory_mb: int = 256
) -> Case:
    return Case(name, kind, code, ((text, ""),), failure, memory_mb=memory_mb)


_GRID = (
    _main(
        "int h, w; cin >> h >> w; vector<string> g(h); for (auto& row : g) cin >> row;\n"
        "  vector<vector<int>> d(h, vector<int>(w, -1)); queue<pair<int, int>> q; q.push({0, 0}); d[0][0] = 0; int dx[] = {0, 1, 0, -1};\n"
        "  while (!q.empty()) { auto [x, y] = q.front(); q.pop(); for (int k = 0; k < 4; k++) { int u = x + dx[k], v = y + dx[k ^ 1];\n"
        "    if (u < 0 || v < 0 || u >= h || v >= w || g[u][v] == '#' || d[u][v] >= 0) continue; d[u][v] = d[x][y] + 1; q.push({u, v}); } }\n"
        "  cout << d[h - 1][w - 1] << endl;"
    ),
    (("2 3\n..#\n#..\n", "3"), ("1 1\n.\n", "0"), ("2 2\n.#\n#.\n", "-1"), ("3 1\r\n.\r\n.\r\n.\r\n", "2")),
)
_DIJKSTRA = (
    _main(
        'int n, m; scanf("%d%d", &n, &m); vector<vector<pair<int, int>>> g(n + 1); for (int i = 0; i < m; i++) { int u, v, w; scanf("%d%d%d", &u, &v, &w); g[u].push_back({v, w}); g[v].push_back({u, w}); }\n'
        "  vector<long long> d(n + 1, LLONG_MAX); priority_queue<pair<long long, int>, vector<pair<long long, int>>, greater<>> q; q.push({d[1] = 0, 1});\n"
        "  while (!q.empty()) { auto [c, u] = q.top(); q.pop(); if (c > d[u]) continue; for (auto [v, w] : g[u]) if (d[v] > c + w) q.push({d[v] = c + w, v}); }\n"
        '  for (int i = 1; i <= n; i++) printf("%lld ", d[i] == LLONG_MAX ? -1 : d[i]);'
    ),
    (("3 2\n1 2 5\n2 3 7\n", "0 5 12"), ("2 0\n", "0 -1"), ("4 4 1 2 9 1 3 1 3 2 1 2 4 1", "0 2 1 3")),
)
_RIGHT = (
    _right("grid", _GRID[0], *_GRID[1]),
    _right("shortest ways", _DIJKSTRA[0], *_DIJKSTRA[1]),
    _right("lines with blanks", _main('string s; int n = 0; while (getline(cin, s)) { if (!s.empty() && s.back() == \'\\r\') s.pop_back(); cout << ++n << ": [" << s << "]\\n"; }'), ("a b\n\n c \n", "1: [a b]\n2: []\n3: [ c ]"), ("", ""), ("x", "1: [x]")),
    _right("line behind a number", _main("int n; cin >> n; cin.ignore(); string s; while (n--) { getline(cin, s); cout << s.size() << ' '; }"), ("2\nab c\n\n", "4 0"), ("1\nxyz", "3")),
    _right("words", _main("map<string, int> m; string w; while (cin >> w) m[w]++; for (auto& p : m) cout << p.first << ' ' << p.second << endl;"), ("b a b\n", "a 1\nb 2"), ("", "")),
    _right("tests in one input", _main("int t; cin >> t; while (t--) { long long a, b; cin >> a >> b; cout << a / b << ' ' << a % b << '\\n'; }"), ("2\n7 2\n-7 2\n", "3 1\n-3 -1"), ("0\n", "")),
    _right("until a zero", _main('int x; while (scanf("%d", &x) && x) printf("%d\\n", x * x);'), ("3 4 0 9\n", "9\n16")),
    _right("doubles", _main("double a, b; cin >> a >> b; cout << fixed << setprecision(9) << hypot(a, b) << endl;"), ("3 4\n", "5.000000000"), ("1 1\n", "1.414213562")),
    _right("long doubles", _main('long double x; cin >> x; printf("%.15Lf %.6Le\\n", sqrtl(x), x); cout << setprecision(12) << x / 3;'), ("2\n", "1.414213562373095 2.000000e+00\n0.666666666667")),
    _right("int128", _main("__int128 p = 1; int n; cin >> n; while (n--) p *= 10; string s; while (p) { s += char('0' + (int)(p % 10)); p /= 10; } reverse(s.begin(), s.end()); cout << s;"), ("30\n", "1" + "0" * 30)),
    _right("power by a modulus", _main("long long b, e, m; cin >> b >> e >> m; long long r = 1 % m; for (b %= m; e; e >>= 1, b = (__int128)b * b % m) if (e & 1) r = (__int128)r * b % m; cout << r;"), ("3 1000000006 1000000007\n", "1"), ("2 10 1000000000000000003\n", "1024")),
    _right("sieve", _main("int n; cin >> n; vector<bool> c(n + 1); int k = 0; for (int i = 2; i <= n; i++) if (!c[i]) { k++; for (long long j = 1LL * i * i; j <= n; j += i) c[j] = 1; } cout << k;"), ("1000000\n", "78498"), ("1\n", "0")),
    _right("deep recursion", _main("int n; cin >> n; vector<int> p(n + 1); for (int i = 2; i <= n; i++) p[i] = i - 1; vector<vector<int>> c(n + 1); for (int i = 2; i <= n; i++) c[p[i]].push_back(i);\n"
                                   "  vector<int> d(n + 1); function<int(int)> f = [&](int u) { int s = 1; for (int v : c[u]) s += f(v); return d[u] = s; }; cout << f(1);"), ("200000\n", "200000")),
    _right("large global arrays", _main('int n; scanf("%d", &n); for (int i = 0; i < n; i++) d[i % 3000][i % 2000] += i & 7; long long s = 0; for (int i = 0; i < 3000; i++) s += d[i][i % 2000]; printf("%lld", s);', "int d[3000][2000];\n"), ("6000\n", "21000")),
    _right("large vector", _main("int n; cin >> n; vector<long long> v(n); iota(v.begin(), v.end(), 1); cout << accumulate(v.begin(), v.end(), 0LL);"), ("5000000\n", "12500002500000")),
    _right("pattern", _main("string t, p; cin >> t >> p; string s = p + '#' + t; vector<int> z(s.size()); int c = 0; for (int i = 1; i < (int)s.size(); i++) { int k = z[i - 1]; while (k && s[i] != s[k]) k = z[k - 1]; z[i] = k + (s[i] == s[k]); c += z[i] == (int)p.size(); } cout << c;"), ("aaaa aa\n", "3"), ("abc d\n", "0")),
    _right("order of structs", _main("int n; cin >> n; vector<P> v(n); for (auto& p : v) cin >> p.s >> p.k; stable_sort(v.begin(), v.end()); for (auto& p : v) cout << p.s << '\\n';", "struct P { string s; int k; bool operator<(const P& o) const { return k != o.k ? k > o.k : s < o.s; } };\n"), ("3\nb 1\na 1\nc 5\n", "c\na\nb")),
    _right("many lines by endl", _main("int n; cin >> n; for (int i = 0; i < n; i++) cout << i << endl;"), ("3000\n", "\n".join(map(str, range(3000))))),
    _right("union of sets", _main('int n, q; cin >> n >> q; vector<int> p(n); iota(p.begin(), p.end(), 0); function<int(int)> f = [&](int x) { return p[x] == x ? x : p[x] = f(p[x]); }; while (q--) { int t, u, v; cin >> t >> u >> v; if (t) puts(f(u) == f(v) ? "Yes" : "No"); else p[f(u)] = f(v); }'), ("4 4\n1 0 1\n0 0 1\n0 1 2\n1 0 2\n", "No\nYes")),
    _right("printf beside cout", _main('ios::sync_with_stdio(true); printf("a"); cout << "b"; printf("c\\n"); cout << "d" << endl;'), ("", "abc\nd")),
    _right("exit in the middle", _main("cout << 1 << '\\n'; printf(\"2\\n\"); exit(0); cout << 3;"), ("", "1\n2")),
    _right("caught exception", _main('try { cout << stoi("x"); } catch (const invalid_argument& e) { cout << "no number"; }'), ("", "no number")),
    _right("templates and constants", _main("cout << F<20>::v << ' ' << square(12);", "template <int N> struct F { static constexpr long long v = N * F<N - 1>::v; }; template <> struct F<0> { static constexpr long long v = 1; };\nconstexpr int square(int x) { return x * x; }\n"), ("", "2432902008176640000 144")),
    _right("ordered tree", _main("tree<int, null_type, less<int>, rb_tree_tag, tree_order_statistics_node_update> t; int x; while (cin >> x) { t.insert(x); cout << t.order_of_key(x) << ' '; }", head="#include <bits/stdc++.h>\n#include <ext/pb_ds/assoc_container.hpp>\n#include <ext/pb_ds/tree_policy.hpp>\nusing namespace std;\nusing namespace __gnu_pbds;\n"), ("5 1 3\n", "0 0 1")),
    _right("hash of its own", _main("unordered_map<long long, int, H> m; long long x; while (cin >> x) m[x]++; int b = 0; for (auto& p : m) b = max(b, p.second); cout << b;", "struct H { size_t operator()(long long x) const { x ^= x >> 31; return x * 0x9e3779b97f4a7c15ull; } };\n"), ("1 2 1\n", "2")),
    _right("ranges", _main("vector<int> v; for (int x; cin >> x;) v.push_back(x); ranges::sort(v, greater{}); for (int x : v | views::filter([](int x) { return x % 2; })) cout << x << ' ';"), ("1 2 3 4 5\n", "5 3 1"), language="cpp20"),
    _right("three-way order", _main("P a{1, 2}, b{1, 3}; cout << (a < b) << popcount(255u) << bit_ceil(5u);", "struct P { int x, y; auto operator<=>(const P&) const = default; };\n"), ("", "188"), language="cpp20"),
    _right("variant and optional", _main('variant<int, string> v = string("x"); optional<int> o; cout << v.index() << o.value_or(7) << string_view("hello").substr(1, 3);'), ("", "17ell")),
    _right("threads", _main("vector<thread> t; atomic<int> s{0}; for (int i = 0; i < 4; i++) t.emplace_back([&] { s += 5; }); for (auto& x : t) x.join(); cout << s;"), ("", "20")),
    _right("objects that outlive main", _main('cout << "in" << endl;', 'struct A { ~A() { puts("after"); } } a;\n'), ("", "in\nafter")),
    _right("bytes above 127", _main("string s; cin >> s; cout << s.size() << s;"), ("h\u00e9\n", "3h\u00e9")),
    _right("time by a clock", _main("auto s = chrono::steady_clock::now(); mt19937 g(42); long long x = 0; while (chrono::steady_clock::now() - s < 20ms) x += g(); cout << (x != 0);"), ("", "1")),
    _right("nothing", "int main() {}\n", ("", "")),
)  # fmt: skip

_BUSY = "for (volatile long long i = 0;; i = i + 1) {}"
_SLOW = (
    _fails("endless loop", "TLE", _main(_BUSY)),
    _fails("output, then endless", "TLE", _main(f'puts("1"); fflush(stdout); {_BUSY}')),
    _fails("slow recursion", "TLE", _main("cout << f(60);", "long long f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n")),
    _fails("a square of steps", "TLE", _main("int n; cin >> n; volatile int s = 0; for (long long i = 0; i < 1000000; i++) for (long long j = 0; j < 1000000; j++) s = s + 1; cout << s;")),
    _fails("input that fails for ever", "TLE", _main("int x = 1, s = 0; while (x != 0) { cin >> x; if (!cin) x = 1; s++; } cout << s;"), text="1 2 3\n"),
    _fails("end of input not seen", "TLE", _main("volatile int c = 0; while (!cin.eof()) { string s; int x; cin >> x; if (cin.fail()) cin.clear(); c = c + 1; }"), text="abc\n"),
    _fails("halves that do not meet", "TLE", _main("volatile int l = 0, h = 10; while (l < h) { int m = (l + h) / 2; if (m < 7) l = m; else h = m; } cout << l;")),
    _fails("sort of a bad order", "TLE", _main("unsigned x = 1; for (;;) { vector<unsigned> v(1000); for (auto& y : v) y = x = x * 1664525u + 1013904223u; sort(v.begin(), v.end()); if (v[0] > v[1]) break; } cout << 1;")),
    _fails("waits for nothing", "TLE", _main("for (;;) this_thread::sleep_for(1s);")),
    _fails("locks twice", "TLE", _main("mutex m; m.lock(); m.lock();")),
    _fails("two threads at work", "TLE", _main("auto f = [] { for (volatile long long i = 0;; i = i + 1) {} }; thread a(f), b(f); a.join(); b.join();"), memory_mb=1024),
)  # fmt: skip
_LARGE = (
    _fails("vector without an end", "MLE", _main("vector<long long> v; for (;;) v.push_back(v.size()); cout << v.size();")),
    _fails("map without an end", "MLE", _main("map<int, array<long long, 64>> m; for (int i = 0;; i++) m[i][3] = i;")),
    _fails("list of nodes", "MLE", _main("struct N { N* next; char fill[4000]; }; N* h = nullptr; for (;;) { N* n = new N; n->next = h; memset(n->fill, 1, 4000); h = n; }")),
    _fails("table too large", "MLE", _main("int n = 20000; vector<vector<int>> d(n, vector<int>(n, 7)); cout << d[n - 1][n - 1];")),
    _fails("global too large and filled", "MLE", _main("memset(a, 1, sizeof a); cout << (int)a[5];", "char a[300 << 20];\n")),
    _fails("text that doubles", "MLE", _main('string s = "x"; for (;;) s += s;')),
    _fails("a terabyte", "MLE", _main("volatile size_t n = 1ull << 40; vector<char> v(n); cout << (int)v[n / 2];")),
    _fails("endless recursion", "MLE", _main("cout << f(1);", "int f(int n) { volatile char c[5000]; c[n % 5000] = n; return f(n + 1) + c[n % 5000]; }\n")),
    _fails("queue that only grows", "MLE", _main("queue<array<int, 100>> q; q.push({}); while (!q.empty()) { auto x = q.front(); q.push(x); q.push(x); q.pop(); }")),
)  # fmt: skip
_CRASHES = (
    _fails("null", "RE", _main("volatile int* p = nullptr; *p = 1;"), "SIGSEGV"),
    _fails("far outside", "RE", _main("int n; cin >> n; vector<int> v(3); volatile long i = 1L << 40; cout << v[i * n];"), "SIGSEGV"),
    _fails("stack in a gigabyte", "RE", _main("cout << f(1);", "int f(int n) { volatile char c[5000]; c[n % 5000] = n; return f(n + 1) + c[n % 5000]; }\n"), "SIGSEGV", memory_mb=1024),
    _fails("division by zero", "RE", _main("int n; cin >> n; cout << 5 / (n - 1);"), "SIGFPE"),
    _fails("remainder by zero", "RE", _main("volatile int z = 0; cout << 5 % z;"), "SIGFPE"),
    _fails("least by minus one", "RE", _main("volatile int m = INT_MIN, o = -1; cout << m / o;"), "SIGFPE"),
    _fails("abort", "RE", _main("abort();"), "SIGABRT"),
    _fails("assertion", "RE", _main("int n; cin >> n; assert(n > 1);"), "SIGABRT"),
    _fails("outside of at", "RE", _main("vector<int> v(2); cout << v.at(5);"), "SIGABRT"),
    _fails("no key", "RE", _main("map<int, int> m; cout << m.at(3);"), "SIGABRT"),
    _fails("no number", "RE", _main('cout << stoi("abc");'), "SIGABRT"),
    _fails("number too large", "RE", _main('cout << stoi("99999999999");'), "SIGABRT"),
    _fails("part behind the end", "RE", _main('string s = "ab"; cout << s.substr(3);'), "SIGABRT"),
    _fails("length below zero", "RE", _main("volatile int n = -1; vector<int> v(n); cout << v.size();"), "SIGABRT"),
    _fails("thrown number", "RE", _main("throw 42;"), "SIGABRT"),
    _fails("thrown in noexcept", "RE", _main("f();", "void f() noexcept { throw 1; }\n"), "SIGABRT"),
    _fails("freed twice", "RE", _main("int* volatile p = new int[4]; int* q = p; delete[] p; delete[] q;"), "SIGABRT"),
    _fails("freed from nowhere", "RE", _main("char c[64]; char* volatile p = c + 16; free(p);"), "SIGABRT"),
    _fails("thread not joined", "RE", _main("thread t([] {});"), "SIGABRT"),
    _fails("pure virtual call", "RE", _main("B b;", "struct A { virtual void f() = 0; void g() { f(); } A() { g(); } };\nstruct B : A { void f() override {} };\n"), "SIGABRT"),
    _fails("trap", "RE", _main("__builtin_trap();"), "SIGILL"),
    _fails("signal to itself", "RE", _main("raise(SIGTERM);"), "SIGTERM"),
    _fails("returns 1", "RE", _main("cout << 1 << endl; return 1;"), "exit status 1"),
    _fails("exits with 3", "RE", _main("exit(3);"), "exit status 3"),
    _fails("returns 256 and 7", "RE", _main("return 263;"), "exit status 7"),
    _fails("prints without an end", "OLE", _main('for (;;) cout << "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\n";')),
    _fails("prints without an end by printf", "OLE", _main('for (;;) printf("%d\\n", 1234567);')),
    _fails("log without an end", "OLE", _main('for (;;) cerr << "debug: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\\n";')),
)  # fmt: skip
_BROKEN = tuple(
    _fails(f"does not compile: {name}", "CE", code)
    for name, code in {
        "semicolon": _main("int a\n  cout << a;"),
        "brace": ALL + "int main() { if (1) { cout << 1; \n",
        "name": _main("cout << missing;"),
        "type": _main('int x = string("a");'),
        "header": "#include <conio.h>\nint main() { getch(); }\n",
        "no main": ALL + "int solve() { return 1; }\n",
        "undefined": ALL + "int f(int);\nint main() { return f(1); }\n",
        "twice": ALL + "int x; double x;\nint main() {}\n",
        "no order": _main("vector<P> v(3); sort(v.begin(), v.end());", "struct P { int x; };\n"),
        "asserted": "static_assert(sizeof(int) == 8);\nint main() {}\n",
        "told by the author": "#error not yet\nint main() {}\n",
        "ambiguous": _main("cout << count;", "int count = 1;\n"),
        "constant": _main("const int n = 1; n = 2;"),
        "arguments": _main("f(1, 2);", "int f(int) { return 1; }\n"),
        "return of main": ALL + "void main() {}\n",
        "text without an end": _main('cout << "abc;'),
        "templates without an end": _main("cout << F<1>::v;", "template <int N> struct F { static const int v = F<N + 1>::v; };\n"),
        "Python": "n = int(input())\nprint(n * 2)\n",
        "Java": "import java.util.*;\npublic class Main { public static void main(String[] a) { System.out.println(1); } }\n",
        "prose": "Here is the program:\n\n```cpp\nint main() {}\n```\n",
        "private": _main("A a; cout << a.x;", "class A { int x; };\n"),
        "a later standard": _main("cout << popcount(7u);"),
    }.items()
)  # fmt: skip

CASES = (*_RIGHT, *_SLOW, *_LARGE, *_CRASHES, *_BROKEN)
