"""Programs put around a candidate or a checker that expects files."""

FILE_INPUT = """\
import atexit, os, sys
with open({given!r}, "w") as _stream:
    _stream.write(sys.stdin.read())
def _print_output():
    if os.path.exists({written!r}):
        with open({written!r}) as _stream:
            sys.stdout.write(_stream.read())
atexit.register(_print_output)
"""
"""For programs that read and write files: standard input is put into one, the other is printed."""

RUN_CHECKER = """\
import contextlib, io, json, sys
_question = json.loads(sys.stdin.read())
for _name, _key in (("input.txt", "input"), ("expected.txt", "expected"), ("output.txt", "output")):
    with open(_name, "w") as _stream:
        _stream.write(_question[_key] or "")
sys.argv = ["checker.py", "input.txt", "expected.txt", "output.txt"]
_printed = io.StringIO()
with contextlib.redirect_stdout(_printed):
    try:
        exec(compile({source!r}, "checker.py", "exec"), {{"__name__": "__main__"}})
    except SystemExit as _end:
        if _end.code not in (None, 0):
            raise
_verdict = _printed.getvalue().strip()
sys.exit(0 if _verdict == "1" else "printed " + repr(_verdict[:200]))
"""
"""A checker as open-r1's: it gets the paths of input, expected and given output, and prints 1 to accept."""

ANY_OF = """\
import json, sys
question = json.load(sys.stdin)
given = question["output"].split()
try:
    expected = json.loads(question["expected"])
except ValueError:
    expected = [question["expected"]]
expected = expected if isinstance(expected, list) else [question["expected"]]
right = [str(one).split() for one in expected] + [question["expected"].split()]
sys.exit(0 if given in right else 1)
"""
"""For xCodeEval's tests that list several right outputs."""
