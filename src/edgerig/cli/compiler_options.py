"""The options ``--compile`` and ``--compile-option``: compilers and chains of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgerig.cli.options import parse_options

if TYPE_CHECKING:
    from edgerig.errors import IncompatibleError


def compiler_names(chains: Sequence[str]) -> list[str]:
    """The compilers that ``chains``, such as ``prune+int8``, name, each once.

    Raises:
        UsageError: One of them is empty.
    """
    from edgerig.compilers.steps import names_of
    from edgerig.rig.usual_way import AS_IT_IS

    names = dict.fromkeys(name for chain in chains for name in names_of(chain))
    return [name for name in names if name != AS_IT_IS]


def compiler_entries(chains: Sequence[str], assignments: Sequence[str]) -> list[Any]:
    """Entries of a rig's compilers; None where there is no compiler.

    Args:
        chains: Compilers, or chains of them. assignments: Settings, ``[COMPILER.]KEY=VALUE``.

    Raises:
        UnknownNameError: There is no such compiler, or none of them has such a setting.
        UsageError: There are settings, and no compiler.
    """
    from edgerig.compilers.chains import shares_of
    from edgerig.compilers.steps import names_of
    from edgerig.errors import UsageError
    from edgerig.rig.usual_way import AS_IT_IS

    names = compiler_names(chains)
    if assignments and not names:
        raise UsageError(
            "--compile-option is a setting of a compiler that is not named.", "Name it, too: --compile NAME."
        )
    shares = shares_of(names, parse_options(assignments, "--compile-option"))
    if not names:
        return [None]
    entries: list[Any] = []
    for chain in dict.fromkeys(chains):
        if chain == AS_IT_IS:
            entries.append(AS_IT_IS)
            continue
        own = names_of(chain)
        steps = [{"use": name, **shares.get(name, {})} for name in own]
        entries.append(steps if len(steps) > 1 else steps[0])
    return entries


def output_of(entry: Any, format: str) -> str | None:
    """The format that ``entry`` of a rig's compilers makes of one of ``format``; None where it leaves that as it is."""
    from edgerig.compilers.base import ModelCompiler
    from edgerig.plugins import make
    from edgerig.rig.usual_way import AS_IT_IS

    if entry in (None, AS_IT_IS):
        return None
    for step in entry if isinstance(entry, list) else [entry]:
        options = {key: value for key, value in step.items() if key != "use"}
        format = make("compiler", step["use"], ModelCompiler, options).for_format(format).makes
    return format


def able_runtimes(format: str) -> str:
    """A sentence that proposes the runtimes which run files of ``format``, without its full stop."""
    from edgerig.plugin_names import names
    from edgerig.plugins import find
    from edgerig.runtimes.base import Runtime

    able = [name for name in names("runtime") if format in find("runtime", name, Runtime).formats]
    return "Name a runtime that runs it: " + " or ".join(
        f"--runtime {name}" for name in able or ["package.module:Class"]
    )


def without_runtime(entry: Any, output: str, format: str) -> IncompatibleError:
    """Why what ``entry`` of a rig's compilers makes of a file of ``format`` cannot run.

    Its format ``output`` has no usual runtime; or it cannot be made at all, which says more.
    """
    from edgerig.compilers.base import ModelCompiler
    from edgerig.compilers.steps import PLUS, State, steps_to
    from edgerig.errors import IncompatibleError
    from edgerig.formats import named
    from edgerig.plugins import make

    steps = [dict(step) for step in (entry if isinstance(entry, list) else [entry])]
    chain = PLUS.join(step["use"] for step in steps)
    compilers = [make("compiler", step.pop("use"), ModelCompiler, step) for step in steps]
    try:
        steps_to(compilers, State(format, "float32"), lambda name: make("compiler", name, ModelCompiler))
    except IncompatibleError as error:
        return IncompatibleError(f"--compile {chain}: {error.message}.")
    further = named(output).compiler
    hint = f"Go on to one that has: --compile {chain}{PLUS}{further}. " if further else ""
    return IncompatibleError(
        f"--compile {chain} makes {output} files, of which there is no usual runtime.",
        f"{hint}{able_runtimes(output)}.",
    )
