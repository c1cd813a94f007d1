"""C++ programs as people write them for contests, with inputs and known verdicts, made from a seed.

A program that reads numbers is put together of an idiom of input, a task and an idiom of output; what it has
to print is worked out here, in Python. Inputs come in the shapes that sites have: with and without a last
line's end, with CR LF, one number a line, blanks at the ends of lines, none at all, many.
"""

# ruff: noqa: E501 - C++ in tables, one program a line

from __future__ import annotations

import bisect
import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.sandbox.cpp.failures import CASES
from benchmarks.sandbox.cpp.known import ALL, Case

_HEADS = (
    ALL,
    (
        "#include <iostream>\n#include <vector>\n#include <string>\n#include <map>\n#include <set>\n#include <queue>\n#include <cmath>\n"
        "#include <algorithm>\n#include <numeric>\n#include <bitset>\n#include <cstdio>\n#include <stack>\nusing namespace std;\n"
    ),
    '#pragma GCC optimize("O3")\n'
    + ALL
    + "typedef long long ll;\ntypedef pair<int, int> pii;\n#define pb push_back\n#define all(x) (x).begin(), (x).end()\n",
    ALL + "#define int long long\n",
)

READERS = {
    "scanf": ("", 'if (scanf("%d", &n) != 1) n = 0; a.resize(n); for (int i = 0; i < n; i++) if (scanf("%lld", &a[i]) != 1) return 9;'),
    "cin": ("", "cin >> n; a.resize(n); for (auto& x : a) cin >> x;"),
    "unsynchronised": ("", "ios::sync_with_stdio(false); cin.tie(nullptr); cin >> n; a.resize(n); for (int i = 0; i < n; ++i) cin >> a[i];"),
    "getchar": (
        ("inline long long rd() { long long x = 0, f = 1; int c = getchar(); while (c != EOF && !isdigit(c)) { if (c == '-') f = -1; c = getchar(); }\n"
        "  while (c != EOF && isdigit(c)) { x = x * 10 + (c - '0'); c = getchar(); } return x * f; }\n"),
        "n = rd(); a.resize(n); for (int i = 0; i < n; i++) a[i] = rd();",
    ),
    "fread": (
        ("static char buf[1 << 16], *p1 = buf, *p2 = buf;\n#define gc() (p1 == p2 && (p2 = (p1 = buf) + fread(buf, 1, 1 << 16, stdin), p1 == p2) ? EOF : *p1++)\n"
        "template <class T> void rd(T& x) { x = 0; int f = 1, c = gc(); while (c != EOF && (c < '0' || c > '9')) { if (c == '-') f = -1; c = gc(); }\n"
        "  while (c >= '0' && c <= '9') { x = x * 10 + (c ^ 48); c = gc(); } x *= f; }\n"),
        "rd(n); a.resize(n); for (auto& x : a) rd(x);",
    ),
    "iterators": ("", "vector<long long> w{istream_iterator<long long>(cin), istream_iterator<long long>()}; n = w.empty() ? 0 : w[0]; if (!w.empty()) a.assign(w.begin() + 1, w.begin() + 1 + n);"),
    "lines": ("", 'string whole, line; while (getline(cin, line)) whole += " " + line; stringstream in(whole); if (!(in >> n)) n = 0; a.resize(n); for (auto& x : a) in >> x;'),
}  # fmt: skip
"""Idiom of input -> code in front of `main`, and in it: `n` numbers into `a`."""

WRITERS = {
    "endl": "for (auto x : r) cout << x << endl;",
    "newline": "for (auto x : r) cout << x << '\\n';",
    "printf": 'for (auto x : r) printf("%lld\\n", (long long)x);',
    "string": 'string o; for (auto x : r) o += to_string(x) + "\\n"; fputs(o.c_str(), stdout);',
    "blanks": 'for (size_t i = 0; i < r.size(); i++) cout << (i ? " " : "") << r[i]; cout << endl;',
}
"""Idiom of output -> code that prints the numbers `r`."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done with the numbers `a`, in C++ (into `r`), in C++ with a fault, and in Python."""

    name: str
    body: str
    wrong: tuple[str, str]
    """A part of the body, and what stands for it in a program that is wrong."""
    answer: Callable[[list[int]], Sequence[int]]


def _inversions(a: list[int]) -> int:
    seen: list[int] = []
    total = 0
    for value in a:
        total += len(seen) - bisect.bisect_right(seen, value)
        bisect.insort(seen, value)
    return total


def _longest_rise(a: list[int]) -> int:
    tails: list[int] = []
    for value in a:
        place = bisect.bisect_left(tails, value)
        tails[place : place + 1] = [value]
    return len(tails)


def _best_part(a: list[int]) -> int:
    best = here = 0
    for value in a:
        here = max(0, here + value)
        best = max(best, here)
    return best


def _next_greater(a: list[int]) -> list[int]:
    found, stack = [-1] * len(a), []
    for place, value in enumerate(a):
        while stack and a[stack[-1]] < value:
            found[stack.pop()] = place
        stack.append(place)
    return found


def _running_medians(a: list[int]) -> list[int]:
    low: list[int] = []
    high: list[int] = []
    found = []
    for value in a:
        heapq.heappush(low, -value)
        heapq.heappush(high, -heapq.heappop(low))
        if len(high) > len(low):
            heapq.heappush(low, -heapq.heappop(high))
        found.append(-low[0])
    return found


def _merges(a: list[int]) -> int:
    heap, total = [abs(value) for value in a], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        one = heapq.heappop(heap) + heapq.heappop(heap)
        total += one
        heapq.heappush(heap, one)
    return total


TASKS = (
    Task("sum", "long long s = 0; for (auto x : a) s += x; r.push_back(s);", ("s += x", "s += x % 1000000"), lambda a: [sum(a)]),
    Task("sorted", "sort(a.begin(), a.end()); r = a;", ("a.end()", "a.end() - (n > 2)"), sorted),
    Task("distinct", "set<long long> s(a.begin(), a.end()); r.push_back(s.size());", ("set<", "multiset<"), lambda a: [len(set(a))]),
    Task("counts", "map<long long, int> m; for (auto x : a) m[x]++; for (auto& [k, v] : m) { r.push_back(k); r.push_back(v); }", ("m[x]++", "m[x] = 1"),
         lambda a: [item for pair in sorted(Counter(a).items()) for item in pair]),
    Task("prefix", "long long s = 0; for (auto x : a) { s = ((s + x) % 998244353 + 998244353) % 998244353; r.push_back(s); }", ("998244353) % 998244353", "1) % 998244353"),
         lambda a: [value % 998244353 for value in itertools.accumulate(a)]),
    Task("gcd", "long long g = 0; for (auto x : a) g = __gcd(g, x < 0 ? -x : x); r.push_back(g);", ("x < 0 ? -x : x", "x < 0 ? 1 : x"), lambda a: [math.gcd(*a)] if a else [0]),
    Task("inversions", "vector<long long> b = a; sort(b.begin(), b.end()); b.erase(unique(b.begin(), b.end()), b.end()); vector<int> t(b.size() + 2); long long c = 0;\n"
         "  for (int i = n - 1; i >= 0; i--) { int p = lower_bound(b.begin(), b.end(), a[i]) - b.begin() + 1; for (int j = p - 1; j; j -= j & -j) c += t[j]; for (int j = p; j <= (int)b.size(); j += j & -j) t[j]++; }\n  r.push_back(c);",
         ("int j = p - 1; j;", "int j = p; j;"), lambda a: [_inversions(a)]),
    Task("rise", "vector<long long> t; for (auto x : a) { auto it = lower_bound(t.begin(), t.end(), x); if (it == t.end()) t.push_back(x); else *it = x; } r.push_back(t.size());",
         ("lower_bound", "upper_bound"), lambda a: [_longest_rise(a)]),
    Task("part", "long long h = 0, b = 0; for (auto x : a) { h = max(0LL, (long long)(h + x)); b = max(b, h); } r.push_back(b);", ("max(0LL, (long long)(h + x))", "h + x"), lambda a: [_best_part(a)]),
    Task("greater", "r.assign(n, -1); stack<int> s; for (int i = 0; i < n; i++) { while (!s.empty() && a[s.top()] < a[i]) { r[s.top()] = i; s.pop(); } s.push(i); }",
         ("a[s.top()] < a[i]", "a[s.top()] <= a[i]"), _next_greater),
    Task("medians", "priority_queue<long long> l; priority_queue<long long, vector<long long>, greater<long long>> h;\n"
         "  for (auto x : a) { l.push(x); h.push(l.top()); l.pop(); if (h.size() > l.size()) { l.push(h.top()); h.pop(); } r.push_back(l.top()); }", ("r.push_back(l.top())", "r.push_back(h.empty() ? l.top() : h.top())"), _running_medians),
    Task("subsets", "bitset<5001> b; b[0] = 1; for (auto x : a) b |= b << ((x < 0 ? -x : x) % 97); r.push_back(b.count());", ("% 97", "% 89"),
         lambda a: [_count_subsets([abs(value) % 97 for value in a])]),
    Task("merges", "priority_queue<long long, vector<long long>, greater<>> q; for (auto x : a) q.push(x < 0 ? -x : x); long long s = 0;\n"
         "  while (q.size() > 1) { auto x = q.top(); q.pop(); auto y = q.top(); q.pop(); s += x + y; q.push(x + y); } r.push_back(s);", (", vector<long long>, greater<>>", ">"), lambda a: [_merges(a)]),
    Task("recursive", "function<long long(int, int)> f = [&](int l, int h) -> long long { if (l >= h) return 0; if (h - l == 1) return a[l]; int m = (l + h) / 2; return f(l, m) ^ f(m, h); }; r.push_back(f(0, n));",
         ("f(l, m) ^ f(m, h)", "f(l, m) + f(m, h)"), lambda a: [_fold_xor(a)]),
    Task("table", "int k = 1; while ((1 << k) <= n) k++; vector<vector<long long>> t(k, a); for (int j = 1; j < k; j++) for (int i = 0; i + (1 << j) <= n; i++) t[j][i] = min(t[j - 1][i], t[j - 1][i + (1 << (j - 1))]);\n"
         "  for (int i = 0; i < n; i++) { int l = i / 2, h = i, j = 31 - __builtin_clz(h - l + 1); r.push_back(min(t[j][l], t[j][h - (1 << j) + 1])); }", ("l = i / 2", "l = (i + 1) / 2"),
         lambda a: [min(a[place // 2 : place + 1]) for place in range(len(a))]),
    Task("reversed", "vector<long long> b(a.rbegin(), a.rend()); swap(a, b); r = a;", ("swap(a, b);", "rotate(a.begin(), a.begin() + n / 2, a.end());"), lambda a: a[::-1]),
)  # fmt: skip


def _count_subsets(steps: list[int]) -> int:
    bits = 1
    for step in steps:
        bits = (bits | bits << step) & ((1 << 5001) - 1)
    return bits.bit_count()


def _fold_xor(a: list[int]) -> int:
    total = 0
    for value in a:
        total ^= value
    return total


def _write(rng: random.Random, numbers: list[int], shape: int) -> str:
    """`numbers` with their count in front, laid out in one of the shapes that sites have."""
    words = list(map(str, numbers))
    line = " ".join(words)
    shapes = (
        f"{len(words)}\n{line}\n",
        f"{len(words)}\n{line}",
        f"{len(words)}\r\n{line}\r\n",
        "\n".join([str(len(words)), *words]) + "\n",
        f"  {len(words)} \n\n {line}  \n\n",
        f"{len(words)} " + "".join(word + rng.choice((" ", "\n", "\t")) for word in words),
    )
    return shapes[shape % len(shapes)]


def _make_inputs(rng: random.Random) -> list[list[int]]:
    short = [[], [0], [5, 5], [3, -1, 2], [10**9, 10**9, -(10**9)]]
    drawn = [
        [rng.randint(-bound, bound) for _ in range(size)] for size, bound in ((7, 3), (40, 50), (50, 10**9))
    ]
    return [*rng.sample(short, 3), *drawn]


def _put_together(rng: random.Random, task: Task, reader: str, *, wrong: bool) -> Case:
    head, (front, reading), writer = rng.choice(_HEADS), READERS[reader], rng.choice(sorted(WRITERS))
    main = "signed main()" if head.endswith("int long long\n") else "int main()"
    if reader == "scanf" and main.startswith("signed"):
        reading = reading.replace('"%d"', '"%lld"')
    if reader in ("iterators", "lines", "fread", "getchar") or task.name == "recursive":
        head = head if "stdc++" in head else ALL + head
    body = task.body.replace(*task.wrong, 1) if wrong else task.body
    assert not wrong or body != task.body
    code = f"{head}{front}{main} {{\n  int n = 0; vector<long long> a, r;\n  {reading}\n  {body}\n  {WRITERS[writer]}\n  return 0;\n}}\n"
    inputs = _make_inputs(rng)
    gap = " " if writer == "blanks" else "\n"
    inputs.append(
        [rng.randint(-9, 9) for _ in range(20_000)]
    ) if not wrong and task.name != "table" and rng.random() < 0.2 else None
    tests = [
        (_write(rng, numbers, place + rng.randrange(6)), gap.join(map(str, task.answer(numbers))))
        for place, numbers in enumerate(inputs)
    ]
    kind = "wrong" if wrong else "right"
    return Case(f"{kind}: {task.name}, {reader}, {writer}", kind, code, tuple(tests))


def make_cases(count: int, seed: int) -> Iterator[Case]:
    """`count` different programs: about a third that are written out (`failures`), the others put together."""
    rng = random.Random(f"contest:{seed}")
    fixed = list(CASES)
    rng.shuffle(fixed)
    chosen = fixed[: max(1, count * 9 // 20)]
    yield from chosen
    pairs = [(task, reader) for task in TASKS for reader in READERS]
    rng.shuffle(pairs)
    left = count - len(chosen)
    for number in range(left):
        task, reader = pairs[number % len(pairs)]
        yield replace(
            _put_together(rng, task, reader, wrong=number % 5 == 4),
            language=rng.choice(("cpp17", "cpp17", "cpp17", "cpp20")),
        )
