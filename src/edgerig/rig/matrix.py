"""From the matrix of a rig to its cells: every combination that can work, and why the others cannot."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.steps import State, steps_to
from edgerig.errors import EdgerigError, IncompatibleError, SpecError
from edgerig.plugins import find, make
from edgerig.results.variant_names import id_part
from edgerig.rig.content import Contents
from edgerig.rig.load import refuses_load
from edgerig.rig.types import Block, CompilerChain, ModelPart, Part, Rig
from edgerig.rig.usual_way import format_of_model, is_as_it_is
from edgerig.runtimes.base import Runtime, RuntimeSettings
from edgerig.settings import convert_settings
from edgerig.targets.resolve import default_runtime, plugin_of

#: Largest number of cells: at five minutes each they take more than a year.
MAX_CELLS = 100_000


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


class _Network(NamedTuple):
    """A model after a compiler or a chain of them, which ends in a file of some format and scheme."""

    model: str
    variant: str
    chain: tuple[Part, ...]
    format: str
    scheme: str


class Matrix:
    """The cells of a rig's matrix. Checks that depend on one part alone are made once, not once per cell.

    Attributes:
        cells: By id.
        refused: Why combinations cannot work, each reason once, in order.
        advised: Those reasons that say what to do: they are about an engine's settings, or about a chain.
    """

    def __init__(self, rig: Rig) -> None:
        self.cells: dict[str, Cell] = {}
        self.refused: dict[str, None] = {}
        self.advised: set[str] = set()
        self._several = len(rig.models) > 1
        self._measure = rig.measure
        self._starts = {part.label: _start(part) for part in rig.models}
        self._states = {part.label: part.ends.state for part in rig.models}
        self._only: dict[str, str | None] = {}
        self._contents = Contents(rig.models)
        self._settings_refused: dict[tuple[str, str, str], str | None] = {}
        self._cases: dict[str, str] = {}

    def expand(self, block: Block) -> None:
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
        runtimes = [(part, find("runtime", part.use, Runtime)) for part in block.runtimes]
        targets = [(part, self._only_runtime(part.use)) for part in block.targets]
        for model, compiler in itertools.product(models, block.compilers):
            network = self._network(model, compiler)
            if network is None:
                continue
            for runtime, plugin in runtimes:
                reason = self._refuses_network(plugin, network)
                if reason:
                    self._refuse(f"{network.variant} on {runtime.label}: {reason}")
                    continue
                for target, only in targets:
                    reason = self._refuses_settings(runtime, plugin, target.use, self._states[model])
                    if reason is not None:
                        self._refuse(reason, advised=True)
                    elif only not in (None, runtime.use):
                        self._refuse(f"runtime {runtime.label} on {target.use}: that runs {only!r} alone")
                    else:
                        self._add(network, runtime, target, block.samples)

    def _refuse(self, reason: str, *, advised: bool = False) -> None:
        """Note why a combination cannot work; ``advised`` if the reason says what to do."""
        self.refused[reason] = None
        if advised:
            self.advised.add(reason)

    def _network(self, model: str, compiler: Part | CompilerChain) -> _Network | None:
        """A model after a compiler; None, and the reason noted, where the one does not take the other."""
        try:
            chain, format_, scheme = _chain(self._starts[model], compiler)
        except EdgerigError as error:
            reason = f"{model}: {error.message}" if self._several else error.message
            self._refuse(reason, advised=len(compiler.steps) > 1)
            return None
        state = self._states[model]
        if chain and state:
            self._refuse(
                f"{model}: {compiler.label} does not calibrate what is carried from one inference to the next "
                f"({', '.join(state)}); compile the network first, and say 'state' of the result"
            )
            return None
        return _Network(model, _variant(model, compiler, self._several), chain, format_, scheme)

    def _refuses_network(self, runtime: type[Runtime], network: _Network) -> str | None:
        """Why a runtime does not run a network."""
        return runtime.refuses(network.format, network.scheme) or self._contents.refuse(
            network.model, bool(network.chain), network.format, runtime
        )

    def _add(self, network: _Network, runtime: Part, target: Part, samples: int | None) -> None:
        """Add a cell, unless another one has its name."""
        cell = Cell(
            id=self._own_case(f"{id_part(network.variant)}-{runtime.label}-{_address_label(target)}"),
            model=network.model,
            variant=network.variant,
            compilers=network.chain,
            runtime=runtime,
            target=target,
            samples=samples,
        )
        if self.cells.setdefault(cell.id, cell) != cell:
            self._refuse(f"two different cells are called {cell.id!r}; give one of their parts a 'name'")

    def _own_case(self, identity: str) -> str:
        """``identity``, numbered where an earlier one differs only in the case of letters: ids name folders, and some
        file systems ignore case."""
        number, numbered = 1, identity
        while self._cases.setdefault(numbered.casefold(), identity) != identity:
            number += 1
            numbered = f"{identity}-{number}"
        return numbered

    def _refuses_settings(
        self, runtime: Part, plugin: type[Runtime], address: str, state: dict[str, str]
    ) -> str | None:
        """Why a target does not support an engine's settings, or a network's ``state``; computed once."""
        key = (runtime.label, address, ",".join(state))
        if key not in self._settings_refused:
            self._settings_refused[key] = self._refused_settings(runtime, plugin, address, state)
        return self._settings_refused[key]

    def _refused_settings(
        self, runtime: Part, plugin: type[Runtime], address: str, state: dict[str, str]
    ) -> str | None:
        if "state" in runtime.options:
            return f"runtime {runtime.label}: 'state' is said of a model, not of a runtime"
        options = runtime.options | ({"state": state} if state else {})
        settings = convert_settings(plugin.Settings, options, f"runtime {runtime.use!r}")
        assert isinstance(settings, RuntimeSettings)
        if plugin.resizes_batch and runtime.options.get("batch") is not None:
            return (
                f"runtime {runtime.label}: a rig sets the batch of its cells together: measure: "
                f"{{scenario: offline, batch: {runtime.options['batch']}}}"
            )
        target = plugin_of(address)
        return refuses_load(target, address, self._measure.scenario, self._measure.streams or 1) or target.refuses(
            address, plugin, settings
        )

    def _only_runtime(self, address: str) -> str | None:
        if address not in self._only:
            self._only[address] = default_runtime(address)
        return self._only[address]


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
