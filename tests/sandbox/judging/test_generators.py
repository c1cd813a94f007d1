"""Generators in Python and C++: their arguments, what they print, and how they fail."""

from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Problem, UserError
from sstar_code.problems.formats.judges import list_commands
from sstar_code.sandbox import Limits
from sstar_code.sandbox.judging import generators
from sstar_code.sandbox.judging.generators import make_inputs
from tests.sandbox.judging.programs import in_cpp, in_problem

NUMBER = in_cpp(
    """
    int n = opt<int>("n");
    println(rnd.next(1, n));
    if (std::cin.get() != EOF) println("more");""",
    "registerGen(argc, argv, 1)",
)
"""Prints a number up to that of its option n, and says so if it finds anything on standard input."""
ECHO = {"program": "import sys\nprint(sys.argv[1:], sys.stdin.read())\n"}


def make(held, generator, commands=""):
    problem = in_problem([], generator={**generator, "commands": commands})
    return held.call(make_inputs, held.sandbox, problem)


@pytest.mark.parametrize(
    ("commands", "runs"),
    [
        ("./gen -n 5 -seed 1\n\n  ./gen -n 9\n./gen -n 9\n", ["-n\n5\n-seed\n1", "-n\n9"]),
        ("python3 gen.py 3 > 01.in\ngenerator.exe 4", ["3", "4"]),
        ("-name 'two words' \"\"", ["-name\ntwo words\n"]),
        ("./gen it's", ["it's"]),
        ("5 6", ["5\n6"]),
        ("./gen", [""]),
        ("", [str(number) for number in range(1, 11)]),
    ],
)
def test_commands_are_read_as_a_shell_would(commands, runs):
    """Without the generator's name, a redirection, or a line that stands there twice."""
    assert list_commands({"program": "", "commands": commands}) == runs


def test_a_generator_in_cpp_is_given_its_arguments(cpp_local):
    """Its standard input is empty; other arguments are another seed, the same ones the same input."""
    made = make(cpp_local, NUMBER, "./gen -n 1\n./gen -n 1000000 1\n./gen -n 1000000 2")
    assert [one.command for one in made] == ["-n 1", "-n 1000000 1", "-n 1000000 2"]
    assert made[0].input == "1\n"
    assert made[1].input != made[2].input
    assert made == make(cpp_local, NUMBER, "./gen -n 1\n./gen -n 1000000 1\n./gen -n 1000000 2")


@pytest.mark.docker
def test_a_generator_in_cpp_runs_in_docker(cpp_docker):
    """As on this machine."""
    assert [one.input for one in make(cpp_docker, NUMBER, "./gen -n 1")] == ["1\n"]


def test_a_generator_in_python_is_given_its_arguments(sandbox_local):
    """Those that set no seed draw other numbers for other arguments."""
    assert make(sandbox_local, ECHO, "gen.py 1 'a b'")[0].input == "['1', 'a b'] \n"
    draws = {"program": "import random\nprint(random.random())"}
    made = make(sandbox_local, draws)
    assert len({one.input for one in made}) == 10
    assert made == make(sandbox_local, draws)


@pytest.mark.parametrize(
    ("generator", "fault"),
    [
        (in_cpp("    println(1)", "registerGen(argc, argv, 1)"), "CE: CompileError: line 4: "),
        (NUMBER, "RE: FAIL no option n"),
        (in_cpp("    while (true) println(1);", "registerGen(argc, argv, 1)"), "LE: "),
        ({"program": "import sys\nsys.exit('no such size')"}, "RE: no such size"),
        ({"program": "1 / 0"}, "RE: ZeroDivisionError: division by zero"),
        ({"program": "open('/etc/shadow').read()"}, "RE: "),
    ],
)
def test_how_a_generator_fails_is_one_line(cpp_local, monkeypatch, generator, fault):
    """It does not compile, exits, never ends, raises, or looks around."""
    monkeypatch.setattr(generators, "_LIMITS", Limits(cpu_s=0.3, output_kb=64))
    (one,) = make(cpp_local, generator, "./gen 1")
    assert fault in one.fault
    assert (one.input, "\n" in one.fault) == ("", False)


def test_a_generator_without_its_header_is_refused(sandbox_local):
    """In the words of the other judges."""
    problem = Problem("p", "", Kind.STDIN, generator=NUMBER)
    with pytest.raises(UserError, match=r"its generator includes testlib\.h"):
        sandbox_local.call(make_inputs, sandbox_local.sandbox, problem)
