"""One cell in a process of its own: ``python -m edgerig.suites.conversion_grid.child JOB PARENT``, in any interpreter.

JOB is a JSON file; the outcome lies beside it as ``outcome.json``, and ``stage`` names what is being done, for the case
that the process does not come back.
"""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from edgerig.bounded.child import die_with
from edgerig.plugins import find
from edgerig.suites.conversion_grid import arrays
from edgerig.suites.conversion_grid.compare import Reference, draw_inputs, largest_error, reference_of
from edgerig.suites.conversion_grid.conversion import ONNXConversion

NETWORK, INPUTS, OUTPUTS, REFERENCE = "network.onnx", "inputs.npz", "outputs.npz", "reference.json"
JOB, OUTCOME, STAGE = "job.json", "outcome.json", "stage"
#: Characters of a message that are kept.
LONGEST = 600


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to do.

    Attributes:
        action: ``export`` writes network, inputs and outputs into ``folder``; ``import`` runs that network.
        plugin: Name of the framework.
        folder: Where the network lies, or is to lie.
    """

    action: Literal["export", "import"]
    plugin: str
    folder: str
    network: str = ""
    opset: int = 0


class Outcome(msgspec.Struct, kw_only=True):
    """What came of it; ``stage`` is where it ended: ``done``, or what failed."""

    stage: str = "starting"
    message: str = ""
    vacuous: str = ""
    operators: dict[str, int] = {}
    noise: float = 0.0
    error: float | None = None
    allowed: float | None = None
    seconds: float = 0.0
    versions: dict[str, str] = {}


class Scales(msgspec.Struct, frozen=True):
    """Spread and noise of each output, beside the outputs themselves."""

    spreads: tuple[float, ...]
    noises: tuple[float, ...]
    vacuous: str


def main(arguments: list[str]) -> None:
    """Do the job in the file that the first argument names, for the process that the second one does."""
    die_with(int(arguments[1]))
    path = Path(arguments[0])
    job = msgspec.json.decode(path.read_bytes(), type=Job)
    outcome = Outcome()
    begun = time.perf_counter()
    try:
        plugin = find("conversion", job.plugin, ONNXConversion, keyed=False)()
        (_export if job.action == "export" else _import)(job, plugin, outcome, path.parent)
        outcome.stage = "done"
    except BaseException as error:  # whatever a framework raises is the outcome
        words = " ".join(str(error).split()) or traceback.format_exc(limit=1).strip().splitlines()[-1]
        outcome.message = f"{type(error).__name__}: {words}"[:LONGEST]
    outcome.seconds = time.perf_counter() - begun
    path.with_name(OUTCOME).write_bytes(msgspec.json.encode(outcome))


def _export(job: Job, plugin: ONNXConversion, outcome: Outcome, work: Path) -> None:
    folder = Path(job.folder)
    _begin("exporting", outcome, work)
    outcome.versions = plugin.versions()
    exported = plugin.export(job.network, job.opset, folder / NETWORK)
    outcome.operators = operators_of(folder / NETWORK)
    _begin("running it in its own framework", outcome, work)
    samples = draw_inputs(exported.inputs)
    reference = reference_of(exported.run, samples, exported.classes)
    arrays.store_inputs(folder / INPUTS, samples)
    arrays.store_outputs(folder / OUTPUTS, reference.outputs)
    scales = Scales(reference.spreads, reference.noises, reference.vacuous)
    (folder / REFERENCE).write_bytes(msgspec.json.encode(scales))
    outcome.vacuous, outcome.noise = reference.vacuous, max(reference.noises)


def _import(job: Job, plugin: ONNXConversion, outcome: Outcome, work: Path) -> None:
    folder = Path(job.folder)
    scales = msgspec.json.decode((folder / REFERENCE).read_bytes(), type=Scales)
    reference = Reference(arrays.load_outputs(folder / OUTPUTS), scales.spreads, scales.noises, scales.vacuous)
    samples = arrays.load_inputs(folder / INPUTS)
    _begin("loading", outcome, work)
    outcome.versions = plugin.versions()
    loaded = plugin.load(folder / NETWORK)
    _begin("running", outcome, work)
    outputs = [[np.asarray(output) for output in plugin.run(loaded, sample)] for sample in samples]
    error, outcome.allowed, outcome.message = largest_error(reference, outputs)
    outcome.error = error if np.isfinite(error) else None


def _begin(stage: str, outcome: Outcome, work: Path) -> None:
    """Say, in a file too, what is being done now; what fails then failed there."""
    outcome.stage = stage
    (work / STAGE).write_text(stage)


def operators_of(path: Path) -> dict[str, int]:
    """How often each operator is in an ONNX file, those within others included; empty without the package onnx."""
    try:
        import onnx
    except ImportError:
        return {}
    counts: dict[str, int] = {}
    graphs = [onnx.load(str(path), load_external_data=False).graph]
    while graphs:
        for node in graphs.pop().node:
            counts[node.op_type] = counts.get(node.op_type, 0) + 1
            graphs += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return dict(sorted(counts.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
