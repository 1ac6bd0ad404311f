"""The options ``--compile`` and ``--compile-option``: compilers and chains of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgerig.cli.options import parse_options


def compiler_names(chains: Sequence[str]) -> list[str]:
    """The compilers that ``chains``, such as ``prune+int8``, name, each once.

    Raises:
        UsageError: One of them is empty.
    """
    from edgerig.compilers.steps import names_of
    from edgerig.rig.usual_way import AS_IT_IS

    names = dict.fromkeys(name for chain in chains for name in names_of(chain))
    return [name for name in names if name != AS_IT_IS]


def compiler_entries(chains: Sequence[str], assignments: Sequence[str]) -> list[tuple[Any, str | None]]:
    """Entries of a rig's compilers, each with the format that it makes; None, twice, where there is no compiler.

    Args:
        chains: Compilers, or chains of them. assignments: Settings, ``[COMPILER.]KEY=VALUE``.

    Raises:
        UnknownNameError: There is no such compiler, or none of them has such a setting.
        UsageError: There are settings, and no compiler.
    """
    from edgerig.compilers.base import ModelCompiler
    from edgerig.compilers.chains import shares_of
    from edgerig.compilers.steps import names_of
    from edgerig.errors import UsageError
    from edgerig.plugins import find
    from edgerig.rig.usual_way import AS_IT_IS

    names = compiler_names(chains)
    if assignments and not names:
        raise UsageError(
            "--compile-option is a setting of a compiler that is not named.", "Name it, too: --compile NAME."
        )
    shares = shares_of(names, parse_options(assignments, "--compile-option"))
    if not names:
        return [(None, None)]
    entries: list[tuple[Any, str | None]] = []
    for chain in dict.fromkeys(chains):
        if chain == AS_IT_IS:
            entries.append((AS_IT_IS, None))
            continue
        own = names_of(chain)
        steps = [{"use": name, **shares.get(name, {})} for name in own]
        entries.append((steps if len(steps) > 1 else steps[0], find("compiler", own[-1], ModelCompiler).makes))
    return entries
