"""Attacks on the harness from within a run: exits, streams, frames, modules, and the verdict itself."""

from __future__ import annotations

import pytest

from sstar_code.sandbox import Mode, Program, Status

_FORGED_FRAME = r"b'\0\0\0\x0e\0\0\0\0{\"forged\":true}'"

_ENDS = {
    "write to every descriptor": (
        f"tell(any(through(os.write, f, {_FORGED_FRAME}) for f in range(4, 1024)))",
        "barred",
    ),
    "reopen descriptors": (
        "tell(any(through(os.open, f'/proc/self/fd/{f}', 2) for f in range(4, 64)))",
        "barred",
    ),
    "reopen the streams": (
        "for f in (0, 1, 2, 3): through(os.open, f'/proc/self/fd/{f}', os.O_RDWR | os.O_TRUNC)\ntell(False)",
        "barred",
    ),
    "forge a frame on stdout": (f"os.write(1, {_FORGED_FRAME} * 99); print('barred')", "barred"),
    "forge a frame on stderr": (f"os.write(2, {_FORGED_FRAME} * 99); print('barred')", "barred"),
    "forge a stream header": (
        "os.write(1, bytes([1, 0, 0, 0, 0, 0, 0, 9]) * 999); print('barred')",
        "barred",
    ),
    "break the exits": (
        (
            "import builtins, gc, json, threading, atexit\n"
            "os._exit = sys.exit = builtins.exit = lambda *a: None\n"
            "os.write = json.dumps = threading._shutdown = atexit._run_exitfuncs = None\n"
            "sys.stdout = sys.stderr = sys.excepthook = None\n"
            "builtins.BaseException = builtins.print = None\n1 / 0"
        ),
        "any",
    ),
    "break frames above": (
        (
            "frame = sys._getframe()\n"
            "while frame:\n"
            "    for name in list(frame.f_locals):\n"
            "        try: frame.f_locals[name] = None\n"
            "        except Exception: pass\n"
            "    try: ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), 1)\n"
            "    except AttributeError: pass\n"
            "    frame = frame.f_back"
        ),
        "any",
    ),
    "jump in a frame above": (
        (
            "frame = sys._getframe().f_back.f_back\n"
            "def jump(f, event, arg):\n    try: f.f_lineno += 1\n    except ValueError: pass\n    "
            "return jump\n"
            "while frame: frame.f_trace = jump; frame = frame.f_back\n"
            "sys.settrace(jump)"
        ),
        "any",
    ),
    "trace the harness": ("sys.settrace(lambda *a: 1 / 0); sys.setprofile(lambda *a: 1 / 0)", "any"),
    "hook every event": (
        "def hook(event, arguments): raise RuntimeError(event)\nsys.addaudithook(hook)",
        "any",
    ),
    "delete every module": ("sys.modules.clear()", "any"),
    "replace every module": ("for n in list(sys.modules): sys.modules[n] = None", "any"),
    "empty the builtins": ("import builtins; builtins.__dict__.clear()", "any"),
    "callbacks of the collector": (
        "import gc\ngc.callbacks.append(lambda *a: os._exit(0)); gc.set_threshold(1); a = [[], [], []] * 9",
        "any",
    ),
    "destroy every object": (
        (
            "import gc\nfor item in gc.get_objects():\n"
            "    if isinstance(item, (dict, list)) and item is not globals():\n"
            "        try: item.clear()\n        except Exception: pass"
        ),
        "any",
    ),
    "close streams in an exit handler": (
        "import atexit\natexit.register(os.closerange, 0, 64); print('barred')",
        "any",
    ),
    "write after the end": (
        (
            "import threading, time\n"
            "def late():\n    while True: os.write(1, b'late '); time.sleep(0.001)\n"
            "threading.Thread(target=late, daemon=True).start(); print('barred')"
        ),
        "any",
    ),
    "exit in a thread": ("import threading\nthreading.Thread(target=os._exit, args=(0,)).start()", "any"),
    "no error output": ("import faulthandler; faulthandler.enable(file=3); os.abort()", "dead"),
    "shrink and truncate the streams": ("for f in (0, 1, 3): through(os.ftruncate, f, 1 << 19)", "any"),
    "grow the streams": (
        "for f in (0, 1, 2, 3): through(os.ftruncate, f, 1 << 40)\ntell(os.fstat(1).st_size > 1 << 30)",
        "any",
    ),
    "output with holes": ("os.lseek(1, 1 << 40, 0); through(os.write, 1, b'x')", "any"),
    "infinite output": ("while True: os.write(1, b'x' * 65536)", "OLE"),
    "infinite errors": ("while True: os.write(2, b'x' * 65536)", "OLE"),
    "infinite output, error ignored": (
        (
            "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "for _ in range(999):\n try: os.write(1, b'x' * 65536)\n except OSError: pass"
        ),
        "OLE",
    ),
    "infinite output without a call for each": (
        "z = os.open('/dev/zero', 0)\nwhile True: os.sendfile(1, z, None, 1 << 20)",
        "OLE",
    ),
    "infinite output through memory": (
        "os.posix_fallocate(1, 0, 1 << 20); os.ftruncate(1, (1 << 20) + 4096)",
        "OLE",
    ),
    "fill the report": ("while True: os.write(3, b'x' * 65536)", "OLE"),
    "deep report": ("os.write(3, b'[' * 100_000); os._exit(0)", "any"),
    "wide report": ("os.write(3, b'[' + b'{},' * 300_000 + b'1]'); os._exit(0)", "any"),
    "huge number in the report": ("os.write(3, b'9' * 1_000_000 + b'\\n'); os._exit(0)", "any"),
    "exit status of the harness": ("os._exit(71)", "dead"),
}


@pytest.mark.parametrize(("code", "ends"), _ENDS.values(), ids=_ENDS)
def test_harness_holds(hold, code, ends):
    """Whatever a program does to the process around it, it ends as it may and no other run notices."""
    hold(code, ends)


_FIND_TOKEN = """
import os, sys
frame = sys._getframe()
while 'token' not in frame.f_locals: frame = frame.f_back
token = frame.f_locals['token']
token = token if isinstance(token, bytes) else token.encode()
"""


@pytest.mark.parametrize("mode", [Mode.CALL, Mode.ASSERT])
def test_forged_report_without_its_token_counts_for_nothing(attacked, mode):
    """Writing a report and leaving is not a pass: the token is not known beforehand."""
    code = 'import os\nos.write(3, b\'{"token": "0"}\\n1\'); os._exit(0)'
    (run,) = attacked.run(Program(code, mode, "f"), "")
    assert run.status is Status.RE


@pytest.mark.parametrize("mode", [Mode.CALL, Mode.ASSERT])
@pytest.mark.parametrize("leave", ["os._exit(0)", "sys.exit(0)", "raise SystemExit"])
def test_leaving_early_is_no_pass(attacked, mode, leave):
    """A program that ends with status 0 before it was called, or asserted about, has failed."""
    (run,) = attacked.run(Program(f"import os, sys\ndef f(): {leave}\n{leave}", mode, "f"), "")
    assert run.status is Status.RE


@pytest.mark.parametrize("leave", ["os._exit(0)", "sys.exit(0)"])
def test_leaving_while_called_is_no_pass(attacked, leave):
    """Nor is leaving from within the call."""
    (run,) = attacked.run(Program(f"import os, sys\ndef f(): {leave}", Mode.CALL, "f"), "")
    assert run.status is Status.RE


def test_forged_end_of_a_call_is_only_an_answer(attacked):
    """Who finds the token can say what the call returned, as by returning it, and nothing about its cost."""
    code = _FIND_TOKEN + (
        "def f():\n while True: pass\n"
        'os.write(3, b\'{"token": "\' + token + b\'", "cpu_s": 0, "exit": 0, "killed": '
        "null}\\n41')\n"
    )
    (run,) = attacked.run(Program(code, Mode.CALL, "f"), "", cpu_s=0.3)
    assert run.status is Status.TLE
    (run,) = attacked.run(Program(code + "os._exit(0)", Mode.CALL, "f"), "")
    assert (run.status, run.result) == (Status.OK, "41")


def test_main_programs_are_judged_by_exit_and_output(attacked):
    """A forged report cannot turn a crash into a pass, nor add output."""
    forge = _FIND_TOKEN + "os.write(3, b'{\"token\": \"' + token + b'\"}\\nforged')\n"
    (run,) = attacked.run(forge + "print(1); os._exit(3)")
    assert (run.status, run.stdout, run.result) == (Status.RE, "", None)
    (run,) = attacked.run(forge + "os.write(1, b'1'); os.kill(os.getpid(), 9)")
    assert run.status is Status.RE
    (run,) = attacked.run("import os\nprint('partial', flush=True); os._exit(0)")
    assert (run.status, run.stdout) == (Status.OK, "partial\n")


def test_output_after_the_end_is_no_more(attacked):
    """What threads go on writing while the program ends is never in the output of the next run."""
    code = (
        "import os, threading\n"
        "def late():\n    while True: os.write(1, b'late')\n"
        "for _ in range(4): threading.Thread(target=late, daemon=True).start()\nos._exit(0)"
    )
    for _ in range(5):
        attacked.run(code)
        (run,) = attacked.run("print(input())", "mine")
        assert run.stdout == "mine\n"
