import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.report.conftest import make_run
from tests.results.conftest import make_measured
from tests.results.energies import powered
from tests.results.loads import BOUND, NEAR, SET, at_set_rate, loaded, offline, scaled, searched, streams

from edgerig.errors import StorageError, UnknownNameError, UsageError
from edgerig.results.history.store import INDEX, NAMES, History

Write = Callable[..., Path]


@pytest.fixture
def history(tmp_path: Path, write_run: Write) -> History:
    """Of three runs, whose latencies are 100, 101 and 102 us."""
    for number in range(3):
        write_run(f"2026-01-0{number + 1}", make_measured([(100 + number) * 1e-6] * 3))
    return History(tmp_path)


def dump(history: History) -> list[object]:
    return [*history.runs(), *history.series()]


def test_runs_are_found_by_looking_and_only_once(history: History) -> None:
    assert (history.update(), history.update()) == (3, 0)
    assert [run.created for run in history.runs()] == ["2026-01-03", "2026-01-02", "2026-01-01"]
    (latency,) = history.series(metric="latency")
    first, *later = [point.value for point in latency.points]
    assert [value / first for value in later] == pytest.approx([1.01, 1.02], abs=1e-4)
    assert {series.metric for series in history.series()} >= {"latency", "accuracy", "size", "peak_rss", "load"}
    assert history.series(rig="other") == []
    assert history.runs(rig="other") == []
    with sqlite3.connect(history.folder / INDEX) as index:
        assert index.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_memory_of_processes_that_got_other_samples_is_another_series(history: History, write_run: Write) -> None:
    write_run("2026-01-04", make_measured([1e-4] * 3, measured_samples=2000))
    history.update()
    assert sorted(len(series.points) for series in history.series(metric="peak_rss")) == [1, 3]
    assert len(history.series(metric="latency")) == 1


def test_an_index_that_is_made_anew_says_the_same(history: History) -> None:
    history.update()
    before = dump(history)
    assert history.rebuild() == 3
    assert dump(history) == before


def test_a_bundle_that_was_measured_again_replaces_its_run(history: History, write_run: Write) -> None:
    history.update()
    write_run("2026-01-02", make_measured([500e-6] * 3))
    assert history.update() == 1
    assert len(history.runs()) == 3
    (latency,) = history.series(metric="latency")
    assert latency.points[1].value == pytest.approx(500e-6, rel=0.1)


def test_a_quality_is_a_series_for_each_data(history: History, write_run: Write) -> None:
    """Of other samples it is another number: a level that changes with them is no change of the network."""
    data = make_run(()).result.dataset
    other = msgspec.structs.replace(data, fingerprint="beef" * 16)
    write_run("2026-01-04", make_measured([100e-6] * 3), dataset=other)
    write_run("2026-01-05", make_measured([100e-6] * 3, measured_samples=50))
    history.update()
    assert sorted(len(each.points) for each in history.series(metric="accuracy")) == [1, 1, 3]
    ends = {each.device.partition("), ")[2] for each in history.series(metric="accuracy")}
    assert f"50 samples of {data.name} {data.fingerprint[:8]}" in ends
    (latency,) = history.series(metric="latency")
    assert len(latency.points) == 5, "a time is one of the network, whatever the samples"


def test_energy_is_a_series_for_each_rail_with_its_interval(history: History, write_run: Write) -> None:
    for number, (joules, rail) in enumerate([(0.002, "VDD_IN"), (0.003, "VDD_IN"), (0.1, "package-0")], 4):
        write_run(f"2026-01-0{number}", powered([joules, joules * 1.01, joules * 0.99], rail=rail))
    history.update()
    board, processor = sorted(history.series(metric="energy"), key=lambda series: -len(series.points))
    assert (board.unit, board.kind) == ("J", "measured")
    assert [point.value for point in board.points] == pytest.approx([0.002, 0.003])
    assert board.device.endswith(", energy of VDD_IN over the measured window")
    for point in board.points:
        assert point.low is not None
        assert point.high is not None
        assert point.low < point.value < point.high
    assert [point.value for point in processor.points] == pytest.approx([0.1])


def test_figures_under_load_are_series_by_their_scenario(history: History, write_run: Write) -> None:
    write_run("2026-01-04", loaded(streams(scaled(1.0))))
    write_run("2026-01-05", loaded(searched([100.0, 101.0, 102.0]), BOUND))
    write_run("2026-01-06", loaded(at_set_rate(0.02), SET))
    history.update()
    series = {each.metric: [point.value for point in each.points] for each in history.series()}
    assert series["throughput"] == [100.0]
    assert series["rate"] == [101.0]
    tails = {each.device.split("), ")[1]: each.points for each in history.series(metric="p99_under_load")}
    assert {name: len(points) for name, points in tails.items()} == {
        "4 streams": 1,
        "1 session, within 0.02 s at p99": 1,
        "1 session, 100 arrivals a second": 1,
    }, "latencies of unlike loads are no series"
    assert tails["1 session, 100 arrivals a second"][0].value == pytest.approx(0.06, rel=0.02)
    again = write_run("2026-01-07", loaded(at_set_rate(0.03), SET))
    history.update()
    (longest,) = (each for each in history.series(metric="p99_under_load") if len(each.points) == 2)
    assert longest.points[1].bundle == str(again)


def test_throughput_offline_is_a_series_for_each_batch(history: History, write_run: Write) -> None:
    for number, (factor, batch) in enumerate([(1.0, 8), (1.1, 8), (1.0, 16)], 4):
        write_run(f"2026-01-0{number}", offline([each * factor for each in NEAR], batch))
    history.update()
    eight, sixteen = sorted(history.series(metric="throughput"), key=lambda series: -len(series.points))
    assert (eight.device.endswith(", batches of 8"), sixteen.device.endswith(", batches of 16")) == (True, True)
    assert [point.value for point in eight.points] == pytest.approx([8 / 100e-6, 8 / 110e-6], rel=0.01)
    assert all(point.low is not None and point.low < point.value for point in eight.points)
    inferences = {each.device.rpartition(", ")[2] for each in history.series(metric="latency")}
    assert {"8 samples an inference", "16 samples an inference"} <= inferences


def test_bundles_of_before_a_figure_was_indexed_are_taken_up_again(history: History) -> None:
    """An index from before energies knows each bundle by the state of its file alone."""
    history.update()
    with contextlib.closing(sqlite3.connect(history.folder / INDEX)) as index, index:
        index.execute("UPDATE runs SET stamp = substr(stamp, instr(stamp, '-') + 1)")
    assert (history.update(), history.update()) == (3, 0)
    assert len(history.runs()) == 3


def test_a_bundle_that_was_moved_is_one_run(history: History) -> None:
    """Twice in a series it would look like a level of two equal runs."""
    history.update()
    (history.folder / "2026-01-02").rename(history.folder / "moved")
    history.update()
    assert [Path(run.bundle).name for run in history.runs()] == ["2026-01-03", "moved", "2026-01-01"]


def test_making_the_index_anew_does_not_take_it_from_others(history: History) -> None:
    history.update()
    with contextlib.closing(sqlite3.connect(history.folder / INDEX)) as other:
        file = (history.folder / INDEX).stat().st_ino
        assert history.rebuild() == 3
        assert (history.folder / INDEX).stat().st_ino == file
        assert other.execute("SELECT count(*) FROM runs").fetchone() == (3,)


def test_a_damaged_bundle_costs_nothing_but_itself(history: History) -> None:
    (history.folder / "2026-01-02" / "results.json").write_text("{")
    said: list[str] = []
    assert history.update(said.append) == 2
    assert len(said) == 1
    assert "2026-01-02" in said[0]


def test_a_run_whose_bundle_is_gone_stays_until_the_index_is_made_anew(history: History) -> None:
    history.update()
    (history.folder / "2026-01-01").rename(history.folder.parent / f"{history.folder.name}-away")
    history.update()
    assert len(history.runs()) == 3
    history.rebuild()
    assert len(history.runs()) == 2


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be taken for one" * 40])
def test_an_index_that_is_none_is_told_and_can_be_made_anew(history: History, content: bytes) -> None:
    (history.folder / INDEX).write_bytes(content)
    if content:
        with pytest.raises(StorageError, match="cannot be used"):
            history.update()
    assert history.rebuild() == 3


def test_an_index_of_another_version_is_told(history: History) -> None:
    history.update()
    with sqlite3.connect(history.folder / INDEX) as index:
        index.execute("PRAGMA user_version = 99")
    index.close()
    with pytest.raises(StorageError, match="another version"):
        history.runs()
    assert history.rebuild() == 3


def test_a_full_disk_under_the_index_loses_nothing(history: History) -> None:
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom edgerig.errors import StorageError\n"
        "from edgerig.results.history.store import History\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))\n"
        "try:\n    History(Path(sys.argv[1])).update()\n"
        "except StorageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(history.folder)], capture_output=True, text=True, check=True)
    assert "No result is lost" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    history.update()
    assert len(history.runs()) == 3


def test_many_at_once_index_each_run_once(history: History) -> None:
    faults: list[Exception] = []

    def update() -> None:
        try:
            History(history.folder).update()
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=update) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(history.runs()) == 3


def test_a_new_index_that_another_process_is_making_is_waited_for(history: History) -> None:
    other = sqlite3.connect(history.folder / INDEX, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE begun (number INTEGER)")

    def finish() -> None:
        other.execute("ROLLBACK")
        other.close()

    later = threading.Timer(0.5, finish)
    later.start()
    assert history.update() == 3
    later.join()


def test_a_baseline_has_a_name_which_outlives_the_index(history: History) -> None:
    history.update()
    bundle = history.folder / "2026-01-01"
    history.name("main", bundle)
    history.name("v1.2", history.folder / "2026-01-02")
    history.rebuild()
    assert history.baseline("main") == bundle.resolve()
    assert history.baseline(str(bundle)) == bundle
    history.name("main", history.folder / "2026-01-03")
    assert history.baselines()["main"].endswith("2026-01-03")
    with pytest.raises(UnknownNameError, match="nothing"):
        history.baseline("nothing")
    for name in ("", "a/b", "..", "a\x1b"):
        with pytest.raises(UsageError):
            history.name(name, bundle)
    with pytest.raises(StorageError, match="no finished run"):
        history.name("x", history.folder)
    (history.folder / NAMES).write_text("[]")
    with pytest.raises(StorageError, match="cannot be read"):
        history.baselines()


def test_what_a_live_comparison_measured_once_is_no_run_of_the_history(history: History, write_run: Write) -> None:
    write_run("compare/a", make_measured([1e-4]))
    (history.folder / "compare" / "comparison.json").write_text("{}")
    assert history.update() == 3


def test_a_folder_without_runs_has_an_empty_history(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        assert History(folder).runs() == []
        assert History(folder / "nothing").update() == 0
    assert not (tmp_path / "nothing").exists()


def test_figures_are_as_the_bundle_has_them(history: History) -> None:
    history.update()
    document = json.loads((history.folder / "2026-01-01" / "results.json").read_bytes())
    (size,) = history.series(metric="size")
    assert size.points[0].value == document["cells"][0]["artifact"]["size"]
    assert msgspec.json.encode(size)
