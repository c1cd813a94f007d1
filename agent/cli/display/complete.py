"""What a shell may complete where an option or an argument takes one of a few names."""

from __future__ import annotations


def list_sandboxes() -> list[str]:
    """Names for `--sandbox`."""
    from sstar_code.sandbox.choose import NAMES

    return list(NAMES)


def list_methods() -> list[str]:
    """Names for `--select`."""
    from sstar_code.selection.methods.registry import METHODS

    return list(METHODS)


def list_strategies() -> list[str]:
    """Names for `--strategy`."""
    from sstar_code.agent.strategies.table import STRATEGIES

    return list(STRATEGIES)


def list_styles() -> list[str]:
    """Names for `--style`."""
    from sstar_code.agent.solving.settings import STYLES

    return list(STYLES)


def list_presets() -> list[str]:
    """Names for `--preset`."""
    from sstar_code.agent.solving.presets import PRESETS

    return list(PRESETS)


def list_sets() -> list[str]:
    """Names for SET; file names are left to the shell."""
    from sstar_code.problems.sets.load import SET_NAMES

    return list(SET_NAMES)
