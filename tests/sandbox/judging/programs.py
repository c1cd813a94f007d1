"""Judges in C++ of a few lines, and programs that try to get the better of them."""

from __future__ import annotations

from pathlib import Path

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.formats.judges import attach_testlib

HEADER = Path(__file__).parents[2] / "support" / "testlib"


def in_cpp(body, register="registerTestlibCmd(argc, argv)"):
    source = f'#include "testlib.h"\nint main(int argc, char **argv) {{\n    {register};\n{body}\n}}\n'
    return {"program": source, "language": "cpp"}


def in_problem(tests, **judges):
    hidden = [Test(*test) for test in tests]
    # so little memory that a busy machine hands it out long before the time is up
    problem = Problem("p", "", Kind.STDIN, hidden_tests=hidden, time_limit_s=1, memory_limit_mb=256, **judges)
    return attach_testlib([problem], HEADER)[0]


SUM = in_cpp("""
    int n = inf.readInt(), best = ans.readInt();
    int a = ouf.readInt(0, 1000, "a"), b = ouf.readInt();
    if (a + b != n) quitf(_wa, "%d + %d is not %d", a, b, n);
    if (a == 666) *(volatile int *)0 = 0;
    if (a == 667) while (true);
    if (a > best) quitf(_fail, "better than the jury");
    quitf(_ok, "fine");""")
"""Two numbers with a sum; it has a fault and is endless for one output each."""
GUESS = in_cpp(
    """
    int n = inf.readInt();
    for (int i = 0; i < 10; i++) {
        int x = ouf.readInt(1, 100, "guess");
        if (x == 42) *(volatile int *)0 = 0;
        if (x == n) { std::cout << "yes" << std::endl; tout << i; quitf(_ok, "found"); }
        std::cout << (x < n ? "more" : "less") << std::endl;
    }
    quitf(_wa, "too many guesses");""",
    "registerInteraction(argc, argv)",
)
"""A number is guessed; it has a fault for one guess."""
SEARCH = """
low, high = 1, 100
while True:
    middle = (low + high) // 2
    print(middle, flush=True)
    said = input()
    if said == "yes":
        break
    low, high = (middle + 1, high) if said == "more" else (low, middle - 1)
"""
SEARCH_CPP = """// language: cpp17
#include <bits/stdc++.h>
int main() {
    int low = 1, high = 100;
    std::string said;
    while (true) {
        int middle = (low + high) / 2;
        std::cout << middle << std::endl;
        std::cin >> said;
        if (said == "yes") return 0;
        if (said == "more") low = middle + 1; else high = middle - 1;
    }
}
"""
SPY = """
import os
found = []
for pid in [name for name in os.listdir("/proc") if name.isdigit()]:
    if int(pid) == os.getpid():
        continue
    for number in range(12):
        try:
            found.append(open(f"/proc/{pid}/fd/{number}").read())
        except OSError:
            pass
    try:
        open(f"/proc/{pid}/mem", "rb").read(1)
        found.append("memory")
    except OSError:
        pass
    try:
        os.kill(int(pid), 9)
        found.append("killed")
    except OSError:
        pass
for number in range(3, 64):
    try:
        found.append(os.pread(number, 99, 0).decode() or "")
    except OSError:
        pass
print(37 if any("37" in text or text in ("memory", "killed") for text in found) else 1, flush=True)
input()
"""
"""Guesses right at once where it can see, read or end the interactor."""
