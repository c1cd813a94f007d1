"""Tests that a model writes against the likeliest program, which it reads for that.

Only here does a model see a program while `adaptive` chooses. Its inputs are run like any other; its outputs
are guesses: that a cluster gives them counts a third of what a brute force does, that none does nothing.

Source of the idea: the auditor of FixAudit (arXiv 2604.05560). There a test that fails has the program
repaired; here it is evidence beside other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.clustering import compare_with
from sstar_code.selection.evidence.fingerprint import strip_comments
from sstar_code.selection.evidence.harness import parse_tests
from sstar_code.selection.evidence.weights import DOUBT
from sstar_code.selection.inputs.contract.examples import public_inputs
from sstar_code.selection.protocols import Question

if TYPE_CHECKING:
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.evidence.clustering import Clustering
    from sstar_code.selection.evidence.harness import WrittenTest
    from sstar_code.selection.pool import Pool

AUDIT_TESTS = 5
"""Tests asked of the model in the one call."""
AUDIT = 1.0
"""Score of a cluster that gives all the outputs; set by hand for want of records."""


async def ask_audit(pool: Pool, index: int, ledger: Ledger) -> list[WrittenTest]:
    """The tests that the model writes against candidate `index` (one call), without those of public inputs.

    Empty, with a note, where the call fails or nothing can be read.
    """
    code = strip_comments(pool.candidates[index].code)
    reply = await pool.board.ask(Question.AUDIT, "audit", ledger, code=code, count=AUDIT_TESTS)
    known = {text.rstrip() for text in public_inputs(pool.problem)}
    written = parse_tests(reply.text, pool.problem, limit=AUDIT_TESTS) if reply else []
    tests = [test for test in written if test.input.rstrip() not in known]
    if not tests:
        ledger.notes.append("audit: the call failed" if reply is None else "audit: no new test could be read")
    return tests


def weigh_audit(
    pool: Pool, tests: Sequence[WrittenTest], found: Clustering, doubtful: Collection[str]
) -> list[dict[str, float]]:
    """The term `audit` of each cluster: its share of the tests, those whose output it gives; empty without.

    A test counts where some clusters give its output and others do not; on an input in `doubtful` half.
    """
    alike, gained, total = cache(compare_with(pool.problem)), [0.0] * len(found.clusters), 0.0
    for test in tests:
        if test.input not in found.inputs:
            continue
        row = found.behaviours[found.inputs.index(test.input)]
        passes = [
            seen.status is Status.OK and (seen.output == test.output or alike(test.output, seen.output))
            for seen in row
        ]
        if any(passes) and not all(passes):
            weight = DOUBT if test.input in doubtful else 1.0
            total += weight
            gained = [score + weight * fits for score, fits in zip(gained, passes, strict=True)]
    return [{"audit": AUDIT * score / total} if total else {} for score in gained]
