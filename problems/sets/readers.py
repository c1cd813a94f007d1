"""Which function reads the rows of which set; a reader is imported when its set is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row
    from sstar_code.problems.problem import Problem

READERS: Mapping[str, str] = {
    "lcb": "formats.livecodebench:read_livecodebench",
    "humaneval": "formats.evalplus:read_humaneval",
    "humaneval+": "formats.evalplus:read_humaneval_plus",
    "mbpp": "formats.evalplus:read_mbpp",
    "mbpp+": "formats.evalplus:read_mbpp_plus",
    "apps": "formats.contests:read_apps",
    "codecontests": "formats.contests:read_codecontests",
    "taco": "formats.published.contests:read_taco",
    "codeforces": "formats.published.contests:read_codeforces",
    "codecontests+": "formats.published.contests:read_codecontests_plus",
    "usaco": "formats.published.contests:read_usaco",
    "xcodeeval": "formats.published.contests:read_xcodeeval",
    "lcb-pro": "formats.published.packages:read_livecodebench_pro",
    "leetcode": "formats.published.functions:read_leetcode_dataset",
    "humaneval-x": "formats.published.functions:read_humaneval_x",
    "multipl-e": "formats.published.functions:read_multipl_e",
    "bigcodebench": "formats.published.functions:read_bigcodebench",
    "cruxeval-o": "prediction.sets:read_cruxeval_output",
    "cruxeval-i": "prediction.sets:read_cruxeval_input",
    "lcb-execution": "prediction.sets:read_execution",
    "lcb-test-output": "prediction.sets:read_output_prediction",
    "jsonl": "formats.jsonl:read_problem",
}
"""Name of a set -> `module:function` below `problems`."""
ALIASES: Mapping[str, str] = {
    "livecodebench": "lcb",
    "humanevalplus": "humaneval+",
    "mbppplus": "mbpp+",
    "code_contests": "codecontests",
}
"""What other tools call a set -> its name here."""


def find_reader(name: str) -> Callable[[Row], Problem]:
    """The function that makes a problem of a row of set `name`."""
    module, _, function = READERS[name].partition(":")
    reader: Callable[[Row], Problem] = getattr(import_module(f"sstar_code.problems.{module}"), function)
    return reader
