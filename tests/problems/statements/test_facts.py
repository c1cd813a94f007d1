"""What a statement says about judging is read where it is said of the output, and nowhere else."""

# ruff: noqa: RUF001 - marks of other scripts are what such pages print
from __future__ import annotations

import pytest

from sstar_code.problems import Kind, Test
from sstar_code.problems.statements.facts import find_facts

TEXTS = (Test("1\n", "a\nb\n"),)


@pytest.mark.parametrize(
    ("sentence", "checker"),
    [
        ("The answer is accepted if its relative or absolute error is at most 10^{-6}.", "floats:1e-06"),
        ("Absolute error must not exceed 1e-9.", "floats:1e-09"),
        ("Your answer may differ by at most 0.001.", "floats:0.001"),
        ("Answers within 10-5 of the actual answer will be accepted.", "floats:1e-05"),
        ("Print the area with precision 10⁻⁴.", "floats:0.0001"),
        ("The judge allows an error of $$$10^{-7}$$$; print it.", "floats:1e-07"),
        ("Погрешность не должна превышать 10^-3.", "floats:0.001"),
        ("答案的误差不超过 10^{-6}。", "floats:1e-06"),
        ("Print each letter in any case.", "any-case"),
        ("You may print the answer in upper case or lower case.", "any-case"),
        ("The answer is case-insensitive.", "any-case"),
        ("输出不区分大小写。", "any-case"),
        ("Print the lines in any order.", "unordered"),
        ("Return the words; their order does not matter.", "unordered"),
        ("Выведите строки в любом порядке.", "unordered"),
        ("The words are given in any order. Print them sorted.", "exact"),
        ("S consists of uppercase or lowercase letters. Print S.", "exact"),
        ("In any case, print one line.", "exact"),
        ("Two words are equal if they are so in a case-insensitive comparison; print their number.", "exact"),
        ("The difference is 10 - 1 = 9; print it.", "exact"),
        ("The differences of 10 - 5 are at most 0.1.", "exact"),
        ("Walk within 0.5 seconds and print the way.", "exact"),
        ("The probability of a drop is 0.01. Print the answer.", "exact"),
    ],
)
def test_the_checker_is_the_one_that_is_told(sentence, checker):
    """Tolerance, order and letter case become a checker where the sentence is about the output."""
    assert find_facts(sentence, Kind.STDIN, TEXTS).checker == checker


@pytest.mark.parametrize(
    ("sentence", "several"),
    [
        ("If there are multiple answers, print any of them.", True),
        ("If there are several solutions, you may output any one.", True),
        ("Any valid answer will be accepted.", True),
        ("Print any such array.", True),
        ("複数ある場合、どれを出力してもよい。", True),
        ("如果有多个答案，输出任意一个。", True),
        ("정답이 여러 개라면 아무거나 출력한다.", True),
        ("Si existen varias, imprime cualquiera de ellas.", True),
        ("Print the smallest if there are several answers.", False),
        ("Print any-length words.", False),
        ("Does any answer fit? Print YES or NO.", False),
        ("There may be several tests; print an answer for each.", False),
        ("Print the words in any order.", False),
    ],
)
def test_several_answers_are_known(sentence, several):
    """A statement that takes any answer is told from one that only speaks of several."""
    assert find_facts(sentence, Kind.STDIN, TEXTS).several_answers is several


@pytest.mark.parametrize(
    ("line", "limits"),
    [
        ("time limit per test: 2 seconds\nmemory limit per test: 256 megabytes", (2.0, 256)),
        ("time limit per test2.5 seconds\nmemory limit per test64 megabytes", (2.5, 64)),
        ("Time Limit: 2000 MS Memory Limit: 65536 KB", (2.0, 64)),
        ("Time Limit: 2000/1000 MS (Java/Others)    Memory Limit: 65536/32768 K (Java/Others)", (2.0, 64)),
        ("Time Limit: 2 sec / Memory Limit: 1024 MiB", (2.0, 1024)),
        ("実行時間制限: 2 sec / メモリ制限: 1024 MiB", (2.0, 1024)),
        ("时间限制 1.00s\n内存限制 125.00MB", (1.0, 125)),
        ("时/空限制：1s / 64MB", (1.0, 64)),
        ("시간 제한\t메모리 제한\t제출\n2 초\t128 MB\t7", (2.0, 128)),
        (
            "ограничение по времени на тест: 1 секунда\nограничение по памяти на тест: 256 мегабайт",
            (1.0, 256),
        ),
        ("(Время: 1 сек. Память: 16 Мб Сложность: 2%)", (1.0, 16)),
        ("Limite de temps : 1 s\nLimite mémoire : 64000 kb", (1.0, 62)),
        ("Memory limit: 1 GB", (None, 1024)),
        ("The time 5 s after the start has no limit.", (None, None)),
        ("Time limit: none", (None, None)),
    ],
)
def test_limits_are_read_in_their_units(line, limits):
    """Seconds and megabytes, whatever the unit and the language."""
    facts = find_facts(line, Kind.STDIN, ())
    assert (facts.time_s, facts.memory_mb) == limits
