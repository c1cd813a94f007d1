"""C++ programs with known verdicts: name -> (source, input, output or failure)."""

# ruff: noqa: E501 - C++ in tables, one program a line

from __future__ import annotations

from sstar_code.sandbox import Status

IO = "#include <cstdio>\n"
STREAMS = "#include <iostream>\n#include <string>\nusing namespace std;\n"
ALL = "#include <bits/stdc++.h>\nusing namespace std;\n"


def _main(body: str, head: str = IO) -> str:
    return f"{head}int main() {{ {body} }}\n"


RIGHT = {
    "sum": (_main('int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b);'), "2 3\n", "5\n"),
    "nothing": (_main("", ""), "", ""),
    "no newline": (_main('printf("x");'), "", "x"),
    "zero returned": (_main("return 0;", ""), "", ""),
    "exit 0": (_main('puts("a"); exit(0);', IO + "#include <cstdlib>\n"), "", "a\n"),
    "streams": (_main("int a, b; cin >> a >> b; cout << a * b << endl;", STREAMS), "6 7", "42\n"),
    "unsynchronised": (
        _main("ios::sync_with_stdio(false); cin.tie(nullptr); string s; cin >> s; cout << s;", STREAMS),
        "word",
        "word",
    ),
    "lines": (_main('string s; int n = 0; while (getline(cin, s)) n++; cout << n << "\\n";', STREAMS), "a\n\nb\n", "3\n"),
    "to the end": (_main('int x, s = 0; while (scanf("%d", &x) == 1) s += x; printf("%d", s);'), "1 2 3", "6"),
    "vector": (
        _main('int n; cin >> n; vector<int> v(n); for (auto& x : v) cin >> x; sort(v.rbegin(), v.rend()); '
              'for (int x : v) cout << x << " ";', ALL),
        "3 2 9 4", "9 4 2 ",
    ),
    "map": (_main("map<string, int> m; string w; while (cin >> w) m[w]++; for (auto& [k, v] : m) cout << k << v;", ALL), "b a b", "a1b2"),
    "long long": (_main('printf("%lld", 1LL << 40);'), "", "1099511627776"),
    "int128": (_main('__int128 x = 1; x <<= 100; printf("%d", (int)(x >> 98));'), "", "4"),
    "double": (_main('printf("%.6f", 2.0 / 3);'), "", "0.666667"),
    "setprecision": (_main("cout << fixed << setprecision(3) << acos(-1.0);", ALL), "", "3.142"),
    "caught exception": (
        _main('try { vector<int>().at(1); } catch (exception&) { puts("caught"); }', ALL), "", "caught\n",
    ),
    "lambda": (_main('auto f = [](auto x) { return x * x; }; printf("%d", f(9));'), "", "81"),
    "thread": (_main("int x = 0; thread t([&] { x = 7; }); t.join(); cout << x;", ALL), "", "7"),
    "global constructor": (IO + 'struct A { A() { puts("before"); } ~A() { puts("after"); } } a;\nint main() {}', "", "before\nafter\n"),
    "deep recursion": (IO + 'int f(int n) { return n ? f(n - 1) + 1 : 0; }\nint main() { volatile int n = 1000000; printf("%d", f(n)); }', "", "1000000"),
    "big array": (IO + 'int a[20000000];\nint main() { a[19999999] = 3; printf("%d", a[19999999]); }', "", "3"),
    "untouched array": (IO + 'int a[200000000];\nint main() { a[5] = 3; printf("%d", a[5]); }', "", "3"),
    "standard error": (_main('fputs("log", stderr); puts("out");'), "", "out\n"),
    "empty input": (_main('int x; printf("%d", scanf("%d", &x));'), "", "-1"),
    "bits without namespace": ("#include <bits/stdc++.h>\nint main() { std::cout << std::gcd(12, 18); }", "", "6"),
    "structured binding": (_main("auto [a, b] = pair(1, 2); cout << a + b;", ALL), "", "3"),
    "policy tree": (
        ("#include <bits/stdc++.h>\n#include <ext/pb_ds/assoc_container.hpp>\nusing namespace __gnu_pbds;\n"
        "int main() { tree<int, null_type, std::less<int>, rb_tree_tag, tree_order_statistics_node_update> t;"
        " t.insert(5); t.insert(2); std::cout << *t.find_by_order(1); }"),
        "", "5",
    ),
    "pragma": ('#pragma GCC optimize("O3,unroll-loops")\n#pragma GCC target("avx2")\n' + _main('puts("fast");'), "", "fast\n"),
    "judge's macro": ('#include <cstdio>\nint main() {\n#ifdef ONLINE_JUDGE\nputs("judge");\n#endif\n}', "", "judge\n"),
    "time": (_main("auto t = chrono::steady_clock::now(); mt19937 g(random_device{}()); g(); cout << (t.time_since_epoch().count() > 0);", ALL), "", "1"),
    "warnings": ("int main() { int unused; return 0; 5; }", "", ""),
    "bytes": (_main('fwrite("\\xff\\0z", 1, 3, stdout);'), "", "\\xff\0z"),
    "goto and label": (_main('int i = 0; again: if (++i < 3) goto again; printf("%d", i);'), "", "3"),
    "pragma once": ("#pragma once\n" + _main('puts("x");'), "", "x\n"),
}  # fmt: skip
"""Ends well, with this output."""

CRASH = "#include <cstdlib>\n#include <csignal>\n"
FAILING = {
    "exit 3": (_main("return 3;", ""), Status.RE, "exit status 3"),
    "exit 255": (_main("exit(-1);", CRASH), Status.RE, "exit status 255"),
    "null": (_main("*(volatile int*)0 = 1;", ""), Status.RE, "SIGSEGV"),
    "abort": (_main("abort();", CRASH), Status.RE, "SIGABRT"),
    "assert": ("#include <cassert>\nint main() {\n  assert(1 == 2);\n}", Status.RE, "SIGABRT"),
    "division": (_main("volatile int z = 0, n = 7; return n / z;", ""), Status.RE, "SIGFPE"),
    "trap": (_main("__builtin_trap();", ""), Status.RE, "SIGILL"),
    "uncaught": (_main("throw 1;", ""), Status.RE, "SIGABRT"),
    "out of range": (_main("return vector<int>().at(1);", ALL), Status.RE, "SIGABRT"),
    "pure virtual": ("struct A { virtual void f() = 0; void g() { f(); } A() { g(); } };\nstruct B : A { void f() override {} };\nint main() { B b; }", Status.RE, "SIGABRT"),
    "own signal": (_main("raise(SIGTERM);", CRASH), Status.RE, "SIGTERM"),
    "endless recursion": ("int f(int n) { volatile char c[999]; c[0] = n; return f(n + 1) + c[0]; }\nint main() { return f(0); }", Status.MLE, "MemoryError"),
    "shell": (_main('return system("true") != 0;', CRASH), Status.RE, "exit status 1"),
    "busy": (_main("for (volatile int i = 0;; i = i + 1) {}", ""), Status.TLE, "TimeLimit"),
    "sleep": (_main("for (;;) pause();", "#include <unistd.h>\n"), Status.TLE, "TimeLimit"),
    "waits for itself": (_main("mutex m; m.lock(); m.lock();", "#include <mutex>\nusing namespace std;\n"), Status.TLE, "TimeLimit"),
    "memory": (_main("for (;;) for (volatile char *p = (char*)malloc(1 << 20), *q = p; q < p + (1 << 20); q += 4096) *q = 1;", CRASH), Status.MLE, "MemoryError"),
    "bad_alloc": (_main("volatile unsigned long n = 1ull << 40; char* p = new char[n]; p[n / 2] = 1; return p[n / 2 + 1];", ""), Status.MLE, "MemoryError"),
    "vector of a terabyte": (_main("vector<long long> v(1ull << 37); return v[5];", ALL), Status.MLE, "MemoryError"),
    "more static than there is": ("long long a[1 << 27], b[1 << 27], c[1 << 27];\nint main() { a[1] = b[1] = 1; return c[1]; }", None, None),
    "output": (_main('for (;;) puts("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");'), Status.OLE, "OutputLimit"),
    "errors": (_main('for (;;) fputs("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", stderr);'), Status.OLE, "OutputLimit"),
}  # fmt: skip
"""Does not end well: status and failure; None: any failure, by a fault that linkers name differently."""

BROKEN = {
    "syntax": ("int main() {\n  int a\n  return a;\n}", 3, "expected"),
    "name": ("int main() {\n  return missing;\n}", 2, "'missing' was not declared"),
    "type": ("#include <string>\nint main() {\n  int x = std::string();\n}", 3, "cannot convert"),
    "header": ("#include <nonsense.h>\nint main() {}", 1, "nonsense.h: No such file"),
    "no main": ("int f() { return 1; }", None, "undefined reference to `main'"),
    "undefined": ("int f();\nint main() { return f(); }", None, "undefined reference to `f()'"),
    "twice": ("int x;\nint x;\nint main() {}", 2, "redefinition"),
    "template": ("#include <vector>\n#include <algorithm>\nstruct A {};\nint main() {\n  std::vector<A> v;\n  std::sort(v.begin(), v.end());\n}", None, "no match for"),
    "static_assert": ('static_assert(1 == 2, "no");\nint main() {}', 1, "static assertion failed"),
    "#error": ("\n#error told\nint main() {}", 2, "#error told"),
    "Python": ("n = int(input())\nprint(n)\n", 1, "'n' does not name a type"),
    "empty": ("", None, "undefined reference to `main'"),
    "assembly": ('int main() { asm("nonsense %eax"); }', None, "no such instruction"),
    "a later standard": ("#include <concepts>\nint main() { std::integral auto x = 1; return x; }", 2, ""),
}  # fmt: skip
"""Does not compile: the line of the first error, a part of what is said."""
