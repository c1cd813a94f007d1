"""Fields that rows of several forms have alike: a checker, limits, JSON inside of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sstar_code.problems.bounds import parse_json
from sstar_code.problems.checkers import validate_checker
from sstar_code.problems.errors import show
from sstar_code.problems.formats.judges import CPP
from sstar_code.problems.problem import MAX_MEMORY_MB, MAX_TESTS, MAX_TIME_S, Kind

if TYPE_CHECKING:
    from sstar_code.problems.formats.rows import Row

_MOST_TOLERANCE = 1e9
_CODE_SIGNS = ("\n", ";", "{", "#include")


def read_checker(row: Row, kind: Kind, default: str) -> str | dict[str, str]:
    """The row's own `checker`, a name or `{"program": source}`, else `default`.

    Raises:
        ProblemFileError: it is neither.
    """
    checker: str | dict[str, str] = row.get("checker", (str, dict), default)
    if isinstance(checker, dict):
        return _check_judge(row, "checker", checker, "a name or ")
    try:
        validate_checker(checker, kind)
    except ValueError as error:
        if any(sign in checker for sign in _CODE_SIGNS):
            raise row.fail("key 'checker': source in Python is given as {\"program\": source}") from error
        raise row.fail(f"key 'checker': {error}") from error
    return checker


def read_judge(row: Row, key: str, *more: str) -> dict[str, str] | None:
    """The program that judges under `key`: {"program": source}, or with "language": "cpp"; None without one.

    It may have texts under the names `more`.

    Raises:
        ProblemFileError: it is something else.
    """
    judge = row.get(key, dict, None)
    if judge is None:
        return None
    texts = {name: judge[name] for name in more if name in judge}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise row.fail(f"key {key!r}: its {name} must be a text, one a line, got {show(text, 60)}")
    return _check_judge(row, key, {name: judge[name] for name in judge if name not in texts}, "") | texts


def _check_judge(row: Row, key: str, judge: dict[str, Any], other: str) -> dict[str, str]:
    if not {"program"} <= set(judge) <= {"program", "language"} or not isinstance(judge["program"], str):
        raise row.fail(f'key {key!r} must be {other}{{"program": source}}, in C++ with "language": "cpp"')
    language = judge.get("language", "python")
    if language not in ("python", CPP):
        raise row.fail(f'key {key!r}: its language must be "python" or "cpp", got {show(language, 60)}')
    return {"program": judge["program"], **({"language": CPP} if language == CPP else {})}


def refuse_checker(row: Row) -> None:
    """For forms whose tests are programs, which nothing can judge but they themselves.

    Raises:
        ProblemFileError: the row has a `checker`.
    """
    if row.data.get("checker") is not None:
        raise row.fail(
            "key 'checker': the tests of this form are programs with asserts, so no checker is asked; "
            "write the problem in the jsonl form"
        )


def check_time(row: Row, key: str, seconds: float) -> float:
    """`seconds` again, the value of `key`.

    Raises:
        ProblemFileError: it is no limit that can be kept.
    """
    if not 0 < seconds <= MAX_TIME_S:
        wanted = "greater than 0" if not seconds > 0 else f"at most {MAX_TIME_S:.0f} s"
        raise row.fail(f"key {key!r} must be {wanted}, got {_show(seconds)}")
    return float(seconds)


def check_memory(row: Row, key: str, megabytes: float) -> int:
    """`megabytes` again, the value of `key`, without a fraction.

    Raises:
        ProblemFileError: it is no limit that can be kept.
    """
    if not 0 < megabytes <= MAX_MEMORY_MB:
        wanted = "greater than 0" if megabytes <= 0 else f"at most {MAX_MEMORY_MB} MB"
        raise row.fail(f"key {key!r} must be {wanted}, got {_show(megabytes)} MB")
    return int(megabytes)


def _show(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else show(number, 30)


def read_json(row: Row, key: str, default: Any) -> Any:
    """The value of `key`, where it is text the JSON in it; `default` where it is empty.

    Raises:
        ProblemFileError: the text is not JSON.
    """
    value = row.data.get(key)
    if not value:
        return default
    try:
        return parse_json(value) if isinstance(value, str) else value
    except ValueError as error:
        raise row.fail(f"key {key!r} must be JSON text: {error}") from error


def read_tolerance(row: Row, key: str) -> float:
    """The number under `key`, 0 where it has none.

    Raises:
        ProblemFileError: it is no tolerance.
    """
    value = row.get(key, (int, float), 0.0)
    if not 0 <= value <= _MOST_TOLERANCE:
        raise row.fail(f"key {key!r} must be 0 or a small number, got {_show(value)}")
    return float(value)


def check_count(row: Row, key: str, count: int, most: int = MAX_TESTS) -> None:
    """Refuse a list of more tests than are read.

    Raises:
        ProblemFileError: `count`, the number of tests under `key`, is more than `most`.
    """
    if count > most:
        raise row.fail(f"key {key!r} holds {count} tests; at most {most} are read, so leave some out")
