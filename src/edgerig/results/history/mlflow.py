"""Copies finished bundles into MLflow: a run for each bundle, and below it a run for each cell.

MLflow's data model: https://mlflow.org/docs/latest/ml/tracking/. Nothing is sent but to the address that is given:
MLflow's own usage statistics are switched off.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from edgerig.errors import MissingExtraError, StorageError
from edgerig.results.bundle import Bundle
from edgerig.results.history.entries import FigureEntry, RunEntry, entry_of
from edgerig.results.types import CellResult

#: Tag of the run of a bundle: which one it is, so that none is copied twice.
BUNDLE_TAG = "edgerig.bundle"
#: Metrics and tags in one request; MLflow takes 1,000 and 100.
_METRICS, _TAGS = 500, 50
#: What MLflow does not take in the name of a metric or tag.
_FORBIDDEN = re.compile(r"[^\w./ -]")
#: Set before MLflow is imported, where the user has not: no usage statistics, and a server that is not there is
#: reported after seconds instead of minutes.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


class Exported(msgspec.Struct, frozen=True):
    """How many bundles were copied, and how many were there already."""

    copied: int
    present: int


def export_bundles(
    bundles: Sequence[Path], to: str, experiment: str | None = None, say: Callable[[str], None] = lambda text: None
) -> Exported:
    """Copy each bundle that is not there yet to the MLflow tracking store at ``to``.

    A cell's figures become metrics by their names, in SI units, with ``.low`` and ``.high`` beside them; the kind and
    the unit of each are tags, ``kind.latency`` and ``unit.latency``. The report goes with the bundle's run.

    Args:
        to: ``http://host:5000``, or ``sqlite:///file.db``. experiment: by default, the name of each bundle's rig.
        say: Receives a line about each bundle.

    Raises:
        MissingExtraError: MLflow is not installed.
        StorageError: A bundle cannot be read, or the store not be reached or written. What was copied stays; a bundle
            that was copied in part is begun anew the next time.
    """
    entries = [entry_of(path) for path in bundles]
    client = _client(to)
    copied = 0
    for path, entry in zip(bundles, entries, strict=True):
        with _storing(to):
            is_new = _export(client, entry, experiment or entry.rig, _artifacts(to))
        copied += is_new
        say(f"{path}: {'copied' if is_new else 'is there already'}")
    return Exported(copied, len(bundles) - copied)


def _client(to: str) -> Any:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise MissingExtraError("MLflow", "mlflow", "mlflow-skinny") from error
    for noisy in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with _storing(to):
        return MlflowClient(tracking_uri=to)


@contextmanager
def _storing(to: str) -> Iterator[None]:
    """Turns whatever MLflow and what stands below it raise into an error that names the store."""
    try:
        yield
    except (StorageError, KeyboardInterrupt):
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise StorageError(
            f"The MLflow store {to} cannot be used: {reason}",
            "Give a server that runs, as http://host:5000, or a file, as sqlite:///mlflow.db.",
        ) from error


def _artifacts(to: str) -> str | None:
    """Where files of a store in a file go: beside it, and not into the folder of whoever calls. None for a server."""
    if not to.startswith("sqlite:///"):
        return None
    return Path(to.removeprefix("sqlite:///")).resolve().parent.joinpath("mlartifacts").as_uri()


def _export(client: Any, entry: RunEntry, experiment: str, artifacts: str | None) -> bool:
    """One bundle; False where it is there already."""
    known = client.get_experiment_by_name(experiment)
    experiment_id = known.experiment_id if known else client.create_experiment(experiment, artifact_location=artifacts)
    identity = hashlib.sha256("\n".join((entry.rig, entry.created, entry.commit)).encode()).hexdigest()[:32]
    for run in client.search_runs([experiment_id], f"tags.`{BUNDLE_TAG}` = '{identity}'"):
        if run.info.status == "FINISHED":
            return False
        _remove(client, experiment_id, run.info.run_id)
    begin = int(datetime.fromisoformat(entry.created).timestamp() * 1000)
    tags = {BUNDLE_TAG: identity, "edgerig.version": entry.edgerig}
    if entry.commit:
        tags["mlflow.source.git.commit"] = entry.commit
    name = f"{entry.rig} {entry.created}"
    parent = client.create_run(experiment_id, start_time=begin, tags=tags, run_name=name).info.run_id
    client.log_param(parent, "dataset", entry.dataset)
    for cell in Bundle(Path(entry.bundle)).result().cells:
        figures = [figure for figure in entry.figures if figure.cell == cell.id]
        _export_cell(client, experiment_id, parent, cell, figures)
    report = Path(entry.bundle) / "report.html"
    if report.exists():
        client.log_artifact(parent, str(report))
    client.set_terminated(parent)
    return True


def _export_cell(client: Any, experiment_id: str, parent: str, cell: CellResult, figures: list[FigureEntry]) -> None:
    from mlflow.entities import Metric, Param, RunTag

    begin = int(datetime.fromisoformat(cell.started).timestamp() * 1000)
    tags = {"mlflow.parentRunId": parent, "edgerig.cell": cell.id}
    child = client.create_run(experiment_id, start_time=begin, tags=tags, run_name=cell.id).info.run_id
    params = [Param(name, str(value)) for name, value in _parameters(cell).items()]
    facts = [
        RunTag(f"{what}.{_name(each.metric)}", getattr(each, what)) for each in figures for what in ("kind", "unit")
    ]
    metrics = [Metric(name, value, begin, 0) for each in figures for name, value in _numbers(each)]
    client.log_batch(child, params=params)
    for first in range(0, len(facts), _TAGS):
        client.log_batch(child, tags=facts[first : first + _TAGS])
    for first in range(0, len(metrics), _METRICS):
        client.log_batch(child, metrics=metrics[first : first + _METRICS])
    client.set_terminated(child, end_time=begin + int(cell.seconds * 1000))


def _numbers(figure: FigureEntry) -> Iterator[tuple[str, float]]:
    name = _name(figure.metric)
    yield name, figure.value
    if figure.low is not None and figure.high is not None:
        yield f"{name}.low", figure.low
        yield f"{name}.high", figure.high


def _name(metric: str) -> str:
    return _FORBIDDEN.sub("_", metric)


def _parameters(cell: CellResult) -> dict[str, object]:
    """What was measured and where, for MLflow's table of parameters."""
    options = {f"option.{_name(key)}": value for key, value in cell.options.items()}
    return {
        "model": cell.model,
        "variant": cell.variant,
        "artifact.format": cell.artifact.format,
        "artifact.sha256": cell.artifact.sha256,
        "runtime": cell.runtime,
        "runtime_version": cell.runtime_version,
        "target": cell.target,
        "processor": cell.machine.cpu,
        "batch": cell.batch,
        "samples": cell.measured_samples,
        "rounds": len(cell.rounds),
    } | options


def _remove(client: Any, experiment_id: str, parent: str) -> None:
    """Take away a run that was copied in part, with the runs below it."""
    for run in client.search_runs([experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'"):
        client.delete_run(run.info.run_id)
    client.delete_run(parent)
