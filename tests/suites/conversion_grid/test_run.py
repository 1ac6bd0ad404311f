"""Grids of real processes: how each cell ends, what is kept, and what is run again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import faulty_frameworks
import pytest

from edgerig import files
from edgerig.errors import UnknownNameError, UsageError
from edgerig.suites.conversion_grid.plan import Plan, plan
from edgerig.suites.conversion_grid.process import Bounds
from edgerig.suites.conversion_grid.run import file_name, run_grid
from edgerig.suites.conversion_grid.types import Cell, Grid, Network

FAULTY = "faulty_frameworks:Faulty"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(Path(faulty_frameworks.__file__).parent))


def grid_of(tmp_path: Path, networks: list[str], importers: list[str], **options: object) -> Grid:
    return run_grid(plan([FAULTY], networks, importers, []), tmp_path / "out", **options)  # type: ignore[arg-type]


@pytest.mark.fresh_processes("each end of a process, by limits too")
@pytest.mark.slow
def test_each_end_of_an_export_is_told_and_costs_itself_alone(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, [], ["onnxruntime"], bounds=Bounds(seconds=8), jobs=4)
    exports = {network.name: network for network in grid.networks}
    statuses = {name: network.status for name, network in exports.items()}
    assert statuses == {
        "sound": "exported", "constant": "vacuous", "refused": "failed", "crash": "crashed", "endless": "hung",
        "external": "exported", "undefined": "vacuous",
    }  # fmt: skip
    assert exports["refused"].message == "exporting: NotImplementedError: no such operator"
    assert "died of SIGABRT" in exports["crash"].message
    assert "its last words: the last words" in exports["crash"].message
    assert exports["endless"].message.startswith("exporting: given up after 8 s")
    assert "does not depend on the inputs" in exports["constant"].message
    cells = {cell.network.partition("/")[2].partition("@")[0]: cell for cell in grid.cells}
    assert {name: cell.status for name, cell in cells.items()} == {
        "sound": "equal", "constant": "vacuous", "refused": "not-exported", "crash": "not-exported",
        "endless": "not-exported", "external": "equal", "undefined": "vacuous",
    }  # fmt: skip
    sound = exports["sound"]
    assert (sound.operators, sound.opset) == ({"MatMul": 1}, 17)
    assert sound.versions.keys() == {"numpy"}
    assert cells["sound"].versions.keys() == {"onnxruntime"}
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {file_name(exports[name]) for name in ("sound", "constant", "undefined")} | {
        "faulty_frameworks-Faulty-external-17"
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "status", "why"),
    [
        ("load", "not-imported", "loading: ValueError: cannot read it"),
        ("run", "not-run", "running: ValueError: cannot run it"),
        ("wrong", "different", "of its spread"),
        ("shape", "different", "the shape [3] instead of [1, 3]"),
        ("nan", "different", "not finite"),
        ("two", "different", "2 outputs instead of 1"),
        ("memory", "memory", "running: given up at 0.4 GB of memory"),
    ],
)
def test_each_end_of_an_import_is_told(
    fault: str, status: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT", fault)
    (cell,) = grid_of(tmp_path, ["sound"], [FAULTY], bounds=Bounds(seconds=60, memory=400 << 20)).cells
    assert cell.status == status
    assert why in cell.message


@pytest.mark.slow
def test_what_is_unchanged_is_not_run_again_unless_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = grid_of(tmp_path, ["sound"], [FAULTY])
    again = grid_of(tmp_path, ["sound"], [FAULTY])
    # Their seconds, too.
    assert (again.networks, again.cells) == (first.networks, first.cells)
    (cell,) = grid_of(tmp_path, ["sound"], [FAULTY], fresh=True).cells
    assert cell.seconds != first.cells[0].seconds
    # The framework's module reads this variable.
    monkeypatch.setenv("FAULT", "run")
    (cell,) = grid_of(tmp_path, ["sound"], [FAULTY]).cells
    assert cell.status == "not-run"


@pytest.mark.fresh_processes("what runs is killed")
@pytest.mark.slow
def test_progress_is_told_in_the_order_of_the_plan(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []

    def tell(done: Network | Cell, number: int, total: int) -> None:
        told.append((done.name if isinstance(done, Network) else done.importer, number, total))

    grid_of(tmp_path, ["sound", "constant"], ["onnxruntime", "onnx-reference"], jobs=3, tell=tell)
    importers = ["onnxruntime", "onnx-reference"] * 2
    assert told == [(name, number, 6) for number, name in enumerate(["sound", "constant", *importers], 1)]


def test_a_grid_that_is_stopped_kills_what_runs(tmp_path: Path) -> None:
    begun = threading.Event()

    def tell(*_: object) -> None:
        begun.set()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grid_of(tmp_path, ["sound", "endless"], ["onnxruntime"], bounds=Bounds(seconds=600), jobs=2, tell=tell)
    assert begun.is_set()
    outcomes = [path.read_text() for path in (files.cache_folder() / "grid").rglob("network.json")]
    assert not [text for text in outcomes if "endless" in text], "what was stopped has no outcome to be cached"


@pytest.mark.fresh_processes("what runs too long is killed")
@pytest.mark.slow
def test_what_was_given_up_is_tried_again_with_other_bounds(tmp_path: Path) -> None:
    assert grid_of(tmp_path, ["sound"], [], bounds=Bounds(seconds=0.01)).networks[0].status == "hung"
    assert grid_of(tmp_path, ["sound"], []).networks[0].status == "exported"


def test_a_missing_framework_is_told_in_its_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty_frameworks.Faulty, "modules", ("no_such_module",))
    found = plan([FAULTY], ["sound"], [FAULTY, "onnxruntime"], [])
    grid = run_grid(Plan(found.networks, found.importers), tmp_path / "out")
    assert [network.status for network in grid.networks] == ["missing"]
    assert "no_such_module" in grid.networks[0].message
    assert {cell.status for cell in grid.cells} == {"not-exported"}


def test_what_a_plan_cannot_hold_is_refused() -> None:
    with pytest.raises(UnknownNameError):
        plan(["no-such-framework"], [], [], [])
    with pytest.raises(UnknownNameError, match="no-such-network"):
        plan([FAULTY], ["no-such-network"], [], [])
    with pytest.raises(UsageError, match="onnxruntime exports nothing"):
        plan(["onnxruntime"], [], [], [])
    with pytest.raises(UsageError, match="sklearn imports nothing"):
        plan([FAULTY], [], ["sklearn"], [])
    with pytest.raises(UsageError, match="No exporter writes opset 5"):
        plan([FAULTY], [], [], [5])


def test_opsets_are_those_that_an_exporter_writes_of_the_ones_asked_for() -> None:
    assert [wanted.opset for wanted in plan([FAULTY], ["sound"], ["onnxruntime"], []).networks] == [17]
    assert [wanted.opset for wanted in plan([FAULTY], ["sound"], ["onnxruntime"], [13, 14, 17]).networks] == [13, 17]


def test_weights_beside_a_network_are_part_of_it(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, ["external"], ["onnxruntime"])
    assert [cell.status for cell in grid.cells] == ["equal"]
    folder = tmp_path / "out" / Path(file_name(grid.networks[0])).stem
    assert {path.name for path in folder.iterdir()} == {"network.onnx", "weights.bin"}
    onnx = pytest.importorskip("onnx")
    onnx.checker.check_model(str(folder / "network.onnx"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux ends it")
def test_a_process_ends_with_the_one_that_waits_for_it(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom edgerig.suites.conversion_grid.plan import plan\n"
        "from edgerig.suites.conversion_grid.run import run_grid\n"
        f"run_grid(plan(['{FAULTY}'], ['endless'], ['{FAULTY}'], []), Path(sys.argv[1]))"
    )
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "TMPDIR": str(work), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "out")], env=environment) as process:
        wait_until(lambda: any(work.glob("edgerig-grid-*/stage")))
        lists = Path(f"/proc/{process.pid}/task").glob("*/children")
        children = [int(number) for path in lists for number in path.read_text().split()]
        process.kill()
    assert children
    wait_until(lambda: not any(_runs(child) for child in children))


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
