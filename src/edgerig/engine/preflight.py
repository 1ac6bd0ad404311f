"""Checks before a run: what would fail for certain is refused before anything is trained, compiled or measured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset
from edgerig.datasets.fitting import check_size
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.samples.evaluation import EvaluationSamples, check_windows
from edgerig.engine.samples.outputs import check_outputs, fed_spec
from edgerig.errors import EdgerigError, IncompatibleError
from edgerig.models.base import ModelWrapper, check_trainable
from edgerig.models.declared import with_state
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.rig.plan import Plan
from edgerig.rig.types import Measure, ModelPart


def check_sizes(parts: Sequence[ModelPart], dataset: Dataset) -> None:
    """Refuse models that cannot take a dataset's samples, before the samples are downloaded.

    Raises:
        IncompatibleError: The shapes do not fit. ModelError: A file cannot be read.
    """
    for part in parts:
        with _named(part.label, len(parts) > 1):
            if part.file:
                network = with_state(open_artifact(Path(part.file), options=part.options), part.ends.state)
                # A model whose own preprocessing resizes takes samples of any size.
                if network.preprocessing.resize is None:
                    check_size(dataset, network)
            else:
                check_trainable(make("model", part.use or "", ModelWrapper, part.options), dataset)


def check_networks(networks: Mapping[str, Artifact], tests: EvaluationSamples) -> None:
    """Refuse networks, by label, that no cell could run or score: wrong inputs, layout, or number of outputs.

    Other faults, such as a sample that cannot be read, are reported by the cells.

    Raises:
        IncompatibleError: Says what does not fit, and of which network where there are several.
    """
    for label, network in networks.items():
        with _named(label, len(networks) > 1):
            inputs = inputs_of(network)
            check_windows(tests, network)
            try:
                sample = tests.samples.named_inputs(slice(0, 1), network.preprocessing)
            except EdgerigError:
                continue
            inputs.quantized(inputs.fitted(sample, tests.dataset.name, judged=tests.task.judged))
            if network.outputs:
                judged = check_outputs(tests.task, network, network.outputs, inputs.batch)
                outputs = judged.of(network.outputs)
                if tests.task.needs_inputs:
                    given = fed_spec(tests.task, inputs.specs)
                    tests.task.check_with_input(outputs, judged.position, given)
                truth = tests.samples.truth(slice(0, 1), network.preprocessing)
                tests.task.check_truth(outputs, judged.position, truth)


def shortages(plan: Plan, dataset: Dataset) -> list[str]:
    """What is to be said where the run, or cells of it, ask for more samples than there are; fetches the samples."""
    total, asked = len(dataset.split("test")), plan.rig.measure.samples
    most = total if asked is None else min(asked, total)
    notes = []
    # Only a number that the user set is a request; the default is not.
    if asked is not None and asked > total and asked != Measure().samples:
        notes.append(f"{dataset.name} has {total:,} test samples, and {asked:,} were asked for: all {total:,} are run.")
    for count in sorted({cell.samples for cell in plan.cells if cell.samples and cell.samples > most}):
        cells = ", ".join(cell.id for cell in plan.cells if cell.samples == count)
        notes.append(f"{cells}: {count:,} samples were asked for, and there are {most:,}: those are run.")
    return notes


@contextlib.contextmanager
def _named(label: str, several: bool) -> Iterator[None]:
    """Prefix an `IncompatibleError` raised inside with the model's name where there are several models."""
    try:
        yield
    except IncompatibleError as error:
        if not several:
            raise
        raise IncompatibleError(f"{label}: {error.message}", error.hint) from error
