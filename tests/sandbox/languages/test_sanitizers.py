"""Builds that watch themselves: what they find, in words for a model, and that they decide no verdict."""

from __future__ import annotations

import pytest

from sstar_code.sandbox import Program, Status
from sstar_code.sandbox.languages.cpp import SANITIZERS, describe_sanitizers
from sstar_code.sandbox.outcome import Limits, execution_keys

_LIMITS = {"cpu_s": 5.0, "wall_s": 120.0, "memory_mb": 512, "output_kb": 256}
_READ = '#include <cstdio>\n#include <vector>\nint n, g[10];\nint main() {\n  scanf("%d", &n);\n'
PROGRAMS = {
    "heap": (_READ + "  int* p = new int[4];\n  return p[n];\n}", 7, "heap-buffer-overflow, READ"),
    "freed": (_READ + "  int* p = new int[9];\n  delete[] p;\n  return p[n];\n}", 8, "heap-use-after-free"),
    "global": (_READ + "  return g[n * 3];\n}", 6, "index 12 out of bounds for type 'int [10]'"),
    "vector": (
        _READ + "  std::vector<int> v(3);\n  v.reserve(9);\n  return v[n];\n}",
        8,
        "'__n < this->size()' failed",
    ),
    "overflow": (_READ + '  printf("%d", n * 1000000000);\n}', 6, "signed integer overflow: 4 * 1000000000"),
    "null": (_READ + "  volatile int* p = nullptr;\n  p[n] = 1;\n  return 0;\n}", 7, "SEGV"),
}
_QUICK = ("heap",)


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[] if name in _QUICK else [pytest.mark.slow]) for name in PROGRAMS
])  # fmt: skip
def test_a_fault_is_named_with_its_line(cpp_sandbox, name):
    """In both sandboxes, whatever limits there are; without an address, which would change with every run."""
    (code, line, part) = PROGRAMS[name]
    (run,) = cpp_sandbox.run(Program(code, language="cpp", sanitized=True), "4", **_LIMITS)
    assert run.failure is not None, run
    assert (run.failure.type, run.failure.line) == (SANITIZERS, line), run.failure
    assert part in run.failure.message
    assert "0x" not in run.failure.message
    assert f"line {line}" in run.failure.message


def test_a_watched_program_is_another_program(cpp_local):
    """Built beside the program itself: neither is taken for the other, and memory without an end is ended."""
    code = (
        _READ
        + """  g[n] = 1;
  printf("%d", g[4]);
  for (volatile int* p; n == 5; p[9] = 1) p = new int[1 << 20]();
}"""
    )
    for sanitized in (False, True, False):
        program = Program(code, language="cpp", sanitized=sanitized)
        fine, endless = cpp_local.run(program, "4", "5", **_LIMITS)
        assert (fine.status, fine.stdout, fine.failure) == (Status.OK, "1", None)
        assert endless.status is Status.MLE, (sanitized, endless)
    keys = [execution_keys(Program(code, language="cpp", sanitized=one), ["4"], Limits()) for one in (0, 1)]
    assert keys[0] != keys[1]
    with pytest.raises(ValueError, match="no sanitizers"):
        Program("print(1)", sanitized=True)


ASAN = """solution.cpp:3:30: runtime error: load of address 0x604000000138 with insufficient space
=================================================================
==16092==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x604000000138 at pc 0x0000004e4476
READ of size 4 at 0x604000000138 thread T0
    #0 0x4e4475 in f(int*, int) /tmp/solution.cpp:3
    #1 0x4e4475 in main /tmp/solution.cpp:9
    #2 0x7f7e1ab88249 in __libc_start_call_main ../sysdeps/nptl/libc_start_call_main.h:58

0x604000000138 is located 0 bytes to the right of 40-byte region [0x604000000110,0x604000000138)
allocated by thread T0 here:
    #0 0x49d028 in operator new[](unsigned long) (/memfd:program (deleted)+0x49d028)
    #1 0x4e4229 in main /tmp/solution.cpp:7
"""


def test_reports_become_few_lines():
    """Stacks keep the program's own lines; a report whose beginning is cut off still tells the fault."""
    told = describe_sanitizers(ASAN)
    assert told.line == 3
    assert told.message.splitlines() == [
        "line 3: load with insufficient space",
        "heap-buffer-overflow, READ of size 4 at line 3 (f), called at line 9 (main)",
        "the address is 0 bytes to the right of 40-byte region",
        "allocated at line 7 (main)",
    ]
    cut = "    #99 0x1 in f(int) /tmp/solution.cpp:1\nSUMMARY: AddressSanitizer: stack-overflow "
    told = describe_sanitizers(cut + "/tmp/solution.cpp:1 in f(int)\n")
    assert (told.message, told.line) == ("stack-overflow at line 1 (f)", 1)
    assert describe_sanitizers("log of the program\n") is None
