"""Copies to a real MLflow store in a file, read back by MLflow's own client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.needs import need_module
from tests.results.conftest import make_measured
from tests.results.energies import powered

from edgerig.errors import MissingExtraError, StorageError
from edgerig.measure.kinds import Measurement
from edgerig.results.bundle import Bundle
from edgerig.results.energy import energy_of
from edgerig.results.history import mlflow as exporter
from edgerig.results.history.mlflow import Exported, export_bundles

Write = Callable[..., Path]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for all: making its tables takes seconds."""
    need_module("mlflow", "edgerig[mlflow]")
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


def runs_in(store: str, experiment: str, text: str = "") -> list[Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=store)
    experiment_id = client.get_experiment_by_name(experiment)
    return (
        list(client.search_runs([experiment_id.experiment_id], text, order_by=["attributes.start_time"]))
        if experiment_id
        else []
    )


def test_a_cell_s_figures_arrive_with_their_bounds_kinds_and_units_and_once(store: str, write_run: Write) -> None:
    bundle = write_run("2026-01-01T00:00:00+00:00", make_measured([1e-4, 1.02e-4, 0.99e-4]))
    (bundle / "report.html").write_text("<p>report</p>")
    assert export_bundles([bundle], store) == Exported(1, 0)
    assert export_bundles([bundle], store) == Exported(0, 1)
    parent, cell = sorted(runs_in(store, "r"), key=lambda run: "edgerig.cell" in run.data.tags)
    (result,) = Bundle(bundle).result().cells
    steady = result.latency.steady
    assert cell.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert cell.data.tags["edgerig.cell"] == result.id
    assert cell.data.metrics["latency"] == steady.value
    assert (cell.data.metrics["latency.low"], cell.data.metrics["latency.high"]) == (steady.low, steady.high)
    assert (cell.data.tags["kind.latency"], cell.data.tags["unit.latency"]) == ("measured", "s")
    assert cell.data.metrics["size"] == result.artifact.size
    assert cell.data.params["artifact.sha256"] == result.artifact.sha256
    assert {run.info.status for run in (parent, cell)} == {"FINISHED"}
    assert (Path(store.removeprefix("sqlite:///")).parent / "mlartifacts").rglob("report.html")


def test_energy_arrives_with_its_bounds_kind_and_unit(store: str, write_run: Write) -> None:
    bundle = write_run("2026-01-05T00:00:00+00:00", powered([0.002, 0.0021, 0.0019]))
    export_bundles([bundle], store, "energy")
    (cell,) = [run for run in runs_in(store, "energy") if "edgerig.cell" in run.data.tags]
    energy = energy_of(Bundle(bundle).result().cells[0])
    assert isinstance(energy, Measurement)
    assert cell.data.metrics["energy"] == energy.value == pytest.approx(0.002)
    assert (cell.data.metrics["energy.low"], cell.data.metrics["energy.high"]) == (energy.low, energy.high)
    assert (cell.data.tags["kind.energy"], cell.data.tags["unit.energy"]) == ("measured", "J")


def test_a_copy_that_was_cut_off_is_made_anew(store: str, write_run: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = write_run("2026-01-02T00:00:00+00:00", make_measured([1e-4] * 3))

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(exporter, "_numbers", stop)
        with pytest.raises(KeyboardInterrupt):
            export_bundles([bundle], store, "cut off")
    assert {run.info.status for run in runs_in(store, "cut off")} == {"RUNNING"}
    assert export_bundles([bundle], store, "cut off") == Exported(1, 0)
    assert [run.info.status for run in runs_in(store, "cut off")] == ["FINISHED"] * 2


def test_names_of_metrics_become_what_mlflow_takes(store: str, write_run: Write) -> None:
    cell, arrays = make_measured([1e-4] * 3)
    metric = msgspec.structs.replace(cell.quality.metrics[0], name="IoU of «a:b»")
    cell = msgspec.structs.replace(cell, quality=msgspec.structs.replace(cell.quality, metrics=(metric,)))
    export_bundles([write_run("2026-01-03T00:00:00+00:00", (cell, arrays))], store, "names")
    names = {name for run in runs_in(store, "names") for name in run.data.metrics}
    assert "IoU of _a_b_" in names


def test_a_server_that_is_not_there_and_a_folder_that_is_none_are_told(write_run: Write, tmp_path: Path) -> None:
    need_module("mlflow", "edgerig[mlflow]")
    bundle = write_run("2026-01-01T00:00:00+00:00", make_measured([1e-4] * 3))
    (tmp_path / "no.db").write_bytes(b"x" * 5000)
    for store in ("http://127.0.0.1:9", f"sqlite:///{tmp_path}/no.db", "nonsense://x"):
        with pytest.raises(StorageError, match="cannot be used") as told:
            export_bundles([bundle], store)
        assert told.value.hint is not None
        assert "http://host:5000" in told.value.hint
    with pytest.raises(StorageError, match="no finished run"):
        export_bundles([tmp_path / "nothing"], "nonsense://x")


def test_without_mlflow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow.tracking", None)
    with pytest.raises(MissingExtraError, match="mlflow"):
        export_bundles([], "sqlite:///x.db")
