"""From a rig to a plan: its stages, its cells, and checks that every combination can work."""

from __future__ import annotations

import fnmatch
import itertools
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.steps import State, steps_to
from edgerig.datasets.base import Dataset
from edgerig.environments.choice import SETTING, missing
from edgerig.errors import EdgerigError, IncompatibleError, MissingExtraError, SpecError, UnknownNameError
from edgerig.install import install_command
from edgerig.models.base import ModelWrapper
from edgerig.plugin_code import check_loaded
from edgerig.plugins import Plugin, convert_settings, find, make
from edgerig.results.variant_names import id_part
from edgerig.rig.content import Contents
from edgerig.rig.load import refuses_load
from edgerig.rig.types import Block, CompilerChain, ModelPart, Part, Rig
from edgerig.rig.usual_way import format_of_model, is_as_it_is
from edgerig.runtimes.base import Runtime, RuntimeSettings
from edgerig.targets.resolve import default_runtime, plugin_of
from edgerig.tasks.base import Task

#: Largest number of cells: at five minutes each they take more than a year.
MAX_CELLS = 100_000
#: Largest number of reasons, or names, in one message.
MAX_REASONS = 50


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One combination to measure.

    ``model`` is the label of one of the rig's models. ``compilers`` is the whole chain, first to last; empty for the
    unchanged file. ``samples`` is set where it is fewer than the rig's.
    """

    id: str
    model: str
    variant: str
    compilers: tuple[Part, ...]
    runtime: Part
    target: Part
    samples: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of a run, in order."""

    rig: Rig
    cells: tuple[Cell, ...]

    @property
    def models(self) -> tuple[ModelPart, ...]:
        """The models that the cells need, in the rig's order."""
        needed = {cell.model for cell in self.cells}
        return tuple(part for part in self.rig.models if part.label in needed)

    @property
    def chains(self) -> tuple[tuple[str, tuple[Part, ...]], ...]:
        """Every compiler chain that the cells need, with its model's label; its prefixes come before it."""
        chains: dict[str, tuple[str, tuple[Part, ...]]] = {}
        for cell in self.cells:
            for end in range(1, len(cell.compilers) + 1):
                chain = cell.compilers[:end]
                chains.setdefault(chain_key(cell.model, chain), (cell.model, chain))
        return tuple(chains.values())


def part_key(part: Part) -> str:
    """Equal for parts with the same effect, whatever their names are."""
    return f"{part.use}:{files.canonical_json(part.options).decode()}" if part.options else part.use


def chain_key(model: str, chain: tuple[Part, ...]) -> str:
    """Equal for chains with the same result for the model labelled ``model``."""
    return "\n".join([model, *map(part_key, chain)])


def make_plan(rig: Rig, only: tuple[str, ...] = ()) -> Plan:
    """Expand the matrix, refuse what cannot work, and report what is not installed.

    Args:
        rig: The rig.
        only: Patterns of cell ids in the shell's syntax; empty means all.

    Raises:
        IncompatibleError: Combinations that cannot work, each with its reason.
        MissingExtraError, SpecError: Engines that are not installed, all in one error.
        UnknownNameError: ``only`` matches no cell.
    """
    expansion = _Expansion(rig)
    for block in rig.matrix:
        expansion.block(block)
    if expansion.refused:
        # Errors about settings and chains already have a hint.
        hint = None if expansion.refused.keys() <= expansion.unfit else _remedy(rig)
        raise IncompatibleError("These combinations cannot work:\n" + _listed(list(expansion.refused)), hint)
    chosen = _choose(expansion.cells, only)
    _require_engines(rig, chosen)
    return Plan(rig=rig, cells=chosen)


class _Expansion:
    """The cells of a matrix. Checks that depend on one part alone are made once, not once per cell.

    Attributes:
        cells: By id. refused: Why combinations cannot work, each reason once, in order. unfit: Those reasons that are
            about an engine's settings, or about a chain; these say what to do.
    """

    def __init__(self, rig: Rig) -> None:
        self.refused: dict[str, None] = {}
        self.cells: dict[str, Cell] = {}
        self._several = len(rig.models) > 1
        self._measure = rig.measure
        self._starts = {part.label: _start(part) for part in rig.models}
        self._states = {part.label: part.ends.state for part in rig.models}
        self._only: dict[str, str | None] = {}
        self._contents = Contents(rig.models)
        self.unfit: set[str] = set()
        self._unfit_pairs: dict[tuple[str, str, str], str | None] = {}
        self._cases: dict[str, str] = {}

    def block(self, block: Block) -> None:
        """Add the cells of one block, or why there are none.

        Raises:
            SpecError: The plan would have more than `MAX_CELLS` cells.
        """
        models = block.models or tuple(self._starts)
        count = len(models) * len(block.compilers) * len(block.runtimes) * len(block.targets)
        if count > MAX_CELLS or len(self.cells) > MAX_CELLS:
            raise SpecError(
                f"The plan has more than {MAX_CELLS:,} cells.", "Measure in several runs; `edgerig report` joins them."
            )
        runtimes = [(part, part.label, find("runtime", part.use, Runtime)) for part in block.runtimes]
        targets = [(part, _address_label(part), self._only_runtime(part.use)) for part in block.targets]
        for model, compiler in itertools.product(models, block.compilers):
            try:
                chain, format_, scheme = _chain(self._starts[model], compiler)
            except EdgerigError as error:
                said = f"{model}: {error.message}" if self._several else error.message
                self.refused[said] = None
                if len(compiler.steps) > 1:
                    self.unfit.add(said)
                continue
            if chain and self._states[model]:
                self.refused[
                    f"{model}: {compiler.label} does not calibrate what is carried from one inference to the next "
                    f"({', '.join(self._states[model])}); compile the network first, and say 'state' of the result"
                ] = None
                continue
            variant = _variant(model, compiler, self._several)
            for runtime, label, plugin in runtimes:
                reason = plugin.refuses(format_, scheme) or self._contents.refuse(model, bool(chain), format_, plugin)
                if reason:
                    self.refused[f"{variant} on {label}: {reason}"] = None
                    continue
                for target, address, only in targets:
                    unfit = self._refuses(runtime, plugin, target.use, self._states[model])
                    if unfit is not None:
                        self.refused[unfit] = None
                        self.unfit.add(unfit)
                        continue
                    if only not in (None, runtime.use):
                        self.refused[f"runtime {label} on {target.use}: that runs {only!r} alone"] = None
                        continue
                    identity = self._own_case(f"{id_part(variant)}-{label}-{address}")
                    cell = Cell(
                        id=identity,
                        model=model,
                        variant=variant,
                        compilers=chain,
                        runtime=runtime,
                        target=target,
                        samples=block.samples,
                    )
                    if self.cells.setdefault(cell.id, cell) != cell:
                        said = f"two different cells are called {cell.id!r}; give one of their parts a 'name'"
                        self.refused[said] = None

    def _own_case(self, identity: str) -> str:
        """``identity``, numbered where an earlier one differs only in the case of letters: ids name folders, and some
        file systems ignore case."""
        number, numbered = 1, identity
        while self._cases.setdefault(numbered.casefold(), identity) != identity:
            number += 1
            numbered = f"{identity}-{number}"
        return numbered

    def _refuses(self, runtime: Part, plugin: type[Runtime], address: str, state: dict[str, str]) -> str | None:
        """Why a target does not support an engine's settings, or a network's ``state``; computed once."""
        pair = (runtime.label, address, ",".join(state))
        if pair not in self._unfit_pairs:
            if "state" in runtime.options:
                self._unfit_pairs[pair] = f"runtime {runtime.label}: 'state' is said of a model, not of a runtime"
                return self._unfit_pairs[pair]
            options = runtime.options | ({"state": state} if state else {})
            settings = convert_settings(plugin.Settings, options, f"runtime {runtime.use!r}")
            assert isinstance(settings, RuntimeSettings)
            if plugin.resizes_batch and runtime.options.get("batch") is not None:
                self._unfit_pairs[pair] = (
                    f"runtime {runtime.label}: a rig sets the batch of its cells together: measure: "
                    f"{{scenario: offline, batch: {runtime.options['batch']}}}"
                )
                return self._unfit_pairs[pair]
            target = plugin_of(address)
            self._unfit_pairs[pair] = refuses_load(
                target, address, self._measure.scenario, self._measure.streams or 1
            ) or target.refuses(address, plugin, settings)
        return self._unfit_pairs[pair]

    def _only_runtime(self, address: str) -> str | None:
        if address not in self._only:
            self._only[address] = default_runtime(address)
        return self._only[address]


def _listed(reasons: list[str]) -> str:
    more = [f"  - and {len(reasons) - MAX_REASONS:,} more"] if len(reasons) > MAX_REASONS else []
    return "\n".join([*(f"  - {reason}" for reason in reasons[:MAX_REASONS]), *more])


def _remedy(rig: Rig) -> str:
    formats = [format_of_model(part) for part in rig.models]
    indirect = [format for format in formats if format.compiler]
    if indirect and any(is_as_it_is(part) for block in rig.matrix for part in block.compilers):
        (title, _, _), compiler = indirect[0].summary.partition(":"), indirect[0].compiler
        return (
            f"No runtime of the block runs a {title} model as it is: name compilers in the block, such as compilers: "
            f"[{compiler}, int8]."
        )
    if len(rig.matrix) == 1:
        return "Choose runtimes that run such files, or compilers that make other ones."
    return "Take them out of the matrix; a matrix can have several blocks."


def _start(part: ModelPart) -> State:
    """What is known of a model before any compiler."""
    from edgerig.models.files import open_artifact

    format = format_of_model(part).name
    if not part.file:
        return State(format, "float32")
    return State.of(open_artifact(Path(part.file), options=part.options))


def _chain(start: State, compiler: Part | CompilerChain) -> tuple[tuple[Part, ...], str, str]:
    """The chain that ends in ``compiler``, and its output format and scheme."""
    if is_as_it_is(compiler):
        return (), start.format, start.scheme
    named = [make("compiler", part.use, ModelCompiler, part.options) for part in compiler.steps]
    try:
        steps = steps_to(named, start, lambda name: make("compiler", name, ModelCompiler))
    except IncompatibleError as error:
        raise IncompatibleError(f"{compiler.label}: {error.message}") from error
    given = iter(compiler.steps)
    chain = tuple(next(given) if step.named else Part(step.compiler.name) for step in steps)
    last = steps[-1].compiler
    schemes = [step.compiler.scheme for step in steps if step.compiler.scheme]
    return chain, last.makes, schemes[-1] if schemes else start.scheme


def _variant(model: str, compiler: Part | CompilerChain, several: bool) -> str:
    """The name of a network after ``compiler``; one that is deployed unchanged keeps its own name."""
    if is_as_it_is(compiler) and not compiler.name:
        return model
    return f"{model}-{compiler.label}" if several else compiler.label


def _address_label(target: Part) -> str:
    return target.name or target.use.replace("://", "-").replace("/", "-").replace(":", "-")


def _choose(cells: dict[str, Cell], only: tuple[str, ...]) -> tuple[Cell, ...]:
    if not cells:
        raise SpecError("The matrix has no cell to measure.", "Name at least one runtime in a block of 'matrix'.")
    for pattern in only:
        if not fnmatch.filter(cells, pattern):
            raise UnknownNameError("cell", pattern, list(cells)[:MAX_REASONS])
    return tuple(c for c in cells.values() if not only or any(fnmatch.fnmatch(c.id, p) for p in only))


def _require_engines(rig: Rig, cells: tuple[Cell, ...]) -> None:
    plugins: list[tuple[type[Plugin], str | None]] = [(find("dataset", rig.dataset.use, Dataset), None)]
    plugins += [(find("task", rig.task.use, Task), None)] if rig.task is not None else []
    plugins += [(find("model", part.use, ModelWrapper), None) for part in rig.models if part.use]
    plugins += _compilers_of(rig, cells)
    for address, runtime in dict.fromkeys((cell.target.use, _with_interpreter(cell.runtime)) for cell in cells):
        target = plugin_of(address)
        plugins.append((target, None))
        if target.chooses_interpreter:
            plugins.append((find("runtime", runtime[0], Runtime), runtime[1]))
    for plugin in dict.fromkeys(plugin for plugin, _ in plugins):
        if not plugin.__module__.startswith("edgerig."):
            check_loaded(plugin)
    errors = [error for plugin, python in dict.fromkeys(plugins) if (error := missing(plugin, python)) is not None]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        extras = sorted({error.extra for error in errors if isinstance(error, MissingExtraError)})
        others = [error.hint for error in errors if not isinstance(error, MissingExtraError) and error.hint]
        raise SpecError(
            "The rig needs what is not installed:\n" + "\n".join(f"  - {error.message}" for error in errors),
            "; ".join([*([install_command(*extras)] if extras else []), *dict.fromkeys(others)]),
        )


def _compilers_of(rig: Rig, cells: tuple[Cell, ...]) -> list[tuple[type[Plugin], str | None]]:
    """The classes that compile, by the formats that they get, each with the interpreter that its settings name."""
    starts = {part.label: format_of_model(part).name for part in rig.models}
    classes: list[tuple[type[Plugin], str | None]] = []
    for cell in {cell.variant: cell for cell in cells}.values():
        format_ = starts[cell.model]
        for part in cell.compilers:
            compiler = make("compiler", part.use, ModelCompiler, part.options).for_format(format_)
            classes.append((type(compiler), _with_interpreter(part)[1]))
            format_ = compiler.makes
    return classes


def _with_interpreter(part: Part) -> tuple[str, str | None]:
    """A runtime or compiler, and the interpreter that its settings name."""
    named = part.options.get(SETTING)
    return part.use, str(named) if named is not None else None
