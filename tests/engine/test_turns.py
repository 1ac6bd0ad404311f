"""A cell in rounds: each a fresh process, in turns with the other cells, kept one by one."""

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml

import edgerig
from edgerig.engine.rounds import context
from edgerig.errors import InferenceError, Interrupted, UsageError
from edgerig.measure.intervals import round_interval
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.utilisation import Utilisation
from edgerig.results.bundle import Bundle
from edgerig.results.types import CellResult, RunResult
from edgerig.targets.remote.session import WireSession
from edgerig.testing import networks
from edgerig.testing.faults import NAME as FAULTY

SAMPLES = 40


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite(tmp_path_factory.mktemp("net") / "net.tflite", 4, 4)


def rig(net: Path, *runtimes: dict[str, Any], **measure: Any) -> dict[str, Any]:
    """Cells ``a-local``, ``b-local`` .. of one network on faulty engines."""
    named = [{"use": FAULTY, "name": name, **each} for name, each in zip("abc", runtimes or ({},), strict=False)]
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [4], "samples": SAMPLES},
        "matrix": [{"runtimes": named}],
        "measure": {"rounds": 3, "warmup": 1, "seconds": 0, "profile": False, "transport_samples": 0, **measure},
    }


def order(result: RunResult) -> list[str]:
    """Which round of which cell began when, by the clock of the machine, as ``a1``."""
    starts = [
        (entry.machine.uptime_seconds, f"{cell.id.split('-')[1]}{entry.number}")
        for cell in result.cells
        for entry in cell.rounds
    ]
    return [name for _, name in sorted(starts)]


def number(quantity: Any) -> Measurement:
    assert isinstance(quantity, Measurement)
    return quantity


# ---- what a round is


@pytest.fixture(scope="module")
def three(net: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Bundle, list[Path]]:
    """Three rounds of two cells, each of which counts its processes."""
    folder = tmp_path_factory.mktemp("three")
    counters = [folder / name for name in "ab"]
    runtimes = [{"counter": str(counter), "seconds": 0.0005} for counter in counters]
    result = edgerig.run(rig(net, *runtimes, seconds=0.3), out=folder / "out")
    return result, Bundle(folder / "out"), counters


@pytest.mark.slow
def test_cells_of_a_device_take_turns_and_each_round_is_a_process(three: tuple[RunResult, Bundle, list[Path]]) -> None:
    result, _, counters = three
    assert order(result) == ["a1", "b1", "b2", "a2", "a3", "b3"]
    assert [counter.stat().st_size for counter in counters] == [3, 3]


def test_the_raw_times_of_each_round_are_kept_and_the_figures_are_theirs(
    three: tuple[RunResult, Bundle, list[Path]],
) -> None:
    result, bundle, _ = three
    for cell in result.cells:
        rounds = [times * 1e-9 for times in bundle.round_times(cell)]
        assert len(rounds) == len(cell.rounds) == 3
        assert cell.latency.distribution is not None
        assert cell.latency.distribution.n == sum(map(len, rounds))
        for name, of in (
            ("steady", np.median),
            ("mean", np.mean),
            ("p90", lambda times: np.quantile(times, 0.9)),
        ):
            expected = round_interval([of(times) for times in rounds])
            figure = number(getattr(cell.latency, name))
            assert (figure.value, figure.high) == pytest.approx((expected.value, expected.high))
            assert figure.low == pytest.approx(max(0.0, expected.low or 0.0))
        rate = number(cell.latency.throughput)
        steady = number(cell.latency.steady)
        assert rate.value == pytest.approx(1 / steady.value)
        assert rate.high is None or rate.high == pytest.approx(1 / (steady.low or 0))


def test_each_round_has_the_samples_of_its_own_process(three: tuple[RunResult, Bundle, list[Path]]) -> None:
    for cell in three[1].result().cells:
        for entry in cell.rounds:
            assert isinstance(entry.utilisation, Utilisation), entry.utilisation
            assert entry.steady is not None
            assert entry.utilisation.inferences == entry.steady.n
            assert len(entry.utilisation.seconds) >= 2
            assert entry.utilisation.seconds[-1] <= entry.seconds


def test_without_utilisation_the_device_is_not_asked_and_the_rounds_say_so(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(WireSession, "begin_utilisation", asked.append)
    result = edgerig.run(rig(net, rounds=2, utilisation=False), out=tmp_path / "out")
    for entry in result.cells[0].rounds:
        assert isinstance(entry.utilisation, Unavailable)
        assert "`measure: {utilisation: false}`" in entry.utilisation.reason
    assert asked == []


def test_load_first_inference_and_memory_are_distributions_too(three: tuple[RunResult, Bundle, list[Path]]) -> None:
    for cell in three[0].cells:
        for pick in (lambda e: e.load, lambda e: e.first):
            values = [number(pick(entry)).value for entry in cell.rounds]
            assert len(set(values)) > 1
        # Memory comes in pages: three processes may well take as many.
        assert all(number(entry.memory["peak_rss"]).value > 0 for entry in cell.rounds)
        assert number(cell.latency.load).value == pytest.approx(
            np.median([number(entry.load).value for entry in cell.rounds])
        )
        for figure in (cell.latency.load, cell.latency.first, cell.memory["peak_rss"]):
            assert (number(figure).low or 0) <= number(figure).value <= (number(figure).high or 0)
            assert "3 rounds" in number(figure).method


def test_the_dataset_passes_once_and_the_seconds_are_shared(three: tuple[RunResult, Bundle, list[Path]]) -> None:
    """0.1 s a round at half a millisecond and something, of which 200 inferences are the most that fit."""
    result, bundle, _ = three
    for cell in result.cells:
        assert len(bundle.samples(cell.id)["scores"]) == SAMPLES
        for times in bundle.round_times(cell)[1:]:
            assert 30 <= len(times) <= 200
            first = cell.rounds[0].steady
            assert first is not None
            assert len(times) == max(30, int(np.ceil(0.1 / first.median)))


def test_it_is_told_how_often_and_how_much_rounds_differ(three: tuple[RunResult, Bundle, list[Path]]) -> None:
    for cell in three[0].cells:
        told = cell.repetition
        assert not isinstance(told, msgspec.UnsetType)
        assert (told.planned, told.complete, told.reason) == (3, True, "3 rounds were asked for")
        medians = [entry.steady.median for entry in cell.rounds if entry.steady]
        assert told.between == pytest.approx(np.std(medians, ddof=1) / np.mean(medians))
        steady = number(cell.latency.steady)
        assert told.half_width == pytest.approx(((steady.high or 0) - (steady.low or 0)) / 2 / steady.value)
        assert told.within == pytest.approx(np.median([entry.steady.spread for entry in cell.rounds if entry.steady]))


def test_one_round_has_no_interval(net: Path, tmp_path: Path) -> None:
    (cell,) = edgerig.run(rig(net, rounds=1), out=tmp_path / "out").cells
    steady = number(cell.latency.steady)
    assert (steady.low, steady.high, len(cell.rounds)) == (None, None, 1)
    assert "interval" not in steady.method
    assert not isinstance(cell.repetition, msgspec.UnsetType)
    assert cell.repetition.between is None


# ---- how many


@pytest.mark.slow
def test_auto_ends_when_the_interval_is_narrow_enough(net: Path, tmp_path: Path) -> None:
    (cell,) = edgerig.run(rig(net, {"seconds": 0.001}, rounds="auto", width=0.99), out=tmp_path / "out").cells
    assert len(cell.rounds) == 5
    assert not isinstance(cell.repetition, msgspec.UnsetType)
    assert cell.repetition.planned is None
    assert "99.00% was asked for" in cell.repetition.reason


@pytest.mark.slow
def test_auto_ends_when_the_time_is_up_and_says_that_it_is_not_narrow_enough(net: Path, tmp_path: Path) -> None:
    data = rig(net, {"seconds": 0.001}, rounds="auto", width=1e-9, time_limit=0)
    (cell,) = edgerig.run(data, out=tmp_path / "out").cells
    assert len(cell.rounds) == 5
    assert not isinstance(cell.repetition, msgspec.UnsetType)
    assert "but 0 s were up" in cell.repetition.reason
    assert any("0 s were up" in text for text in cell.warnings)


# ---- what goes wrong


@pytest.mark.slow
def test_a_cell_that_fails_in_round_three_keeps_the_two_before_and_goes_on_there(net: Path, tmp_path: Path) -> None:
    crash = {"counter": str(tmp_path / "count"), "fault": "raise", "first": 3, "last": 3}
    data = rig(net, crash, {}, rounds=4)
    with pytest.raises(InferenceError, match=r"1 of 2 cells could not be measured:\n  - net-a-local: Round 3 failed: "):
        edgerig.run(data, out=tmp_path / "out")
    bundle = Bundle(tmp_path / "out")
    assert not bundle.finished
    failed, whole = bundle.result().cells
    assert (len(failed.rounds), len(whole.rounds)) == (2, 4)
    assert any("Round 3 failed: " in text and "are of 2 of 4 rounds" in text for text in failed.warnings)
    assert not any("Round 3 failed" in text for text in whole.warnings)
    assert [(note.id, note.round) for note in bundle.result().failures] == [(failed.id, 3)]
    resumed = edgerig.run(data, out=tmp_path / "out", resume=True)
    assert [len(cell.rounds) for cell in resumed.cells] == [4, 4]
    assert resumed.cells[0].rounds[:2] == failed.rounds
    assert resumed.cells[1] == whole
    assert not resumed.failures
    assert not any("Round 3 failed" in text for text in resumed.cells[0].warnings)


@pytest.mark.slow
def test_outputs_that_differ_from_process_to_process_are_told(net: Path, tmp_path: Path) -> None:
    vary = {"counter": str(tmp_path / "count"), "fault": "vary", "first": 3}
    varied, same = edgerig.run(rig(net, vary, {}), out=tmp_path / "out").cells
    assert any("outputs of the first samples in round 3 are not those of round 1" in text for text in varied.warnings)
    assert not any("outputs of the first samples" in text for text in same.warnings)
    assert len({entry.outputs for entry in same.rounds}) == 1


@pytest.mark.slow
def test_a_device_that_becomes_slow_in_the_middle_is_told(net: Path, tmp_path: Path) -> None:
    slow = {"counter": str(tmp_path / "count"), "first": 4, "slower": 0.02, "seconds": 0.005}
    (cell,) = edgerig.run(rig(net, slow, rounds=6), out=tmp_path / "out").cells
    assert any("slower between rounds 3 and 4" in text for text in cell.warnings)
    assert any("rounds differ widely" in text for text in cell.warnings)


# ---- going on


def stop_after(bundle: Path, rounds: int, process: subprocess.Popen[bytes]) -> None:
    """Kill a run as soon as so many rounds of the first cell are on disk."""
    deadline = time.monotonic() + 120
    while not list(bundle.glob(f"cells/*a-local/rounds/{rounds:04}.npz")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_with_the_first_round_that_is_not_finished(net: Path, tmp_path: Path) -> None:
    out, counters = tmp_path / "out", [tmp_path / name for name in "ab"]
    data = rig(net, *({"counter": str(counter), "seconds": 0.01} for counter in counters), rounds=4)
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump(data))
    command = [sys.executable, "-m", "edgerig", "run", str(tmp_path / "rig.yaml"), "--out", str(out)]
    stop_after(out, 2, subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
    before = {cell.id: cell for cell in Bundle(out).result().cells}
    assert all("Not finished: the figures are of" in " ".join(cell.warnings) for cell in before.values())
    started = [counter.stat().st_size for counter in counters]
    result = edgerig.run(tmp_path / "rig.yaml", out=out, resume=True)
    missing = 0
    for cell in result.cells:
        assert len(cell.rounds) == 4
        kept = before[cell.id].rounds
        assert cell.rounds[: len(kept)] == kept
        assert [len(times) for times in Bundle(out).round_times(cell)] == [e.steady.n for e in cell.rounds if e.steady]
        missing += 4 - len(kept)
    # No round that was finished is measured again.
    assert sum(counter.stat().st_size for counter in counters) - sum(started) == missing


@pytest.mark.slow
def test_a_run_that_is_stopped_in_a_later_round_says_what_is_kept(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, calls = Bundle.write_round, itertools.count(1)

    def stopping(self: Bundle, result: CellResult, times: Any) -> CellResult:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return write(self, result, times)

    with monkeypatch.context() as patch:
        patch.setattr(Bundle, "write_round", stopping)
        with pytest.raises(Interrupted) as caught:
            edgerig.run(rig(net, {}, {}), out=tmp_path / "out")
    assert "Stopped: 0 of 2 cells are finished and kept in" in caught.value.message
    assert ", and 3 rounds of 2 more" in caught.value.message
    result = edgerig.run(rig(net, {}, {}), out=tmp_path / "out", resume=True)
    assert [len(cell.rounds) for cell in result.cells] == [3, 3]


@pytest.mark.slow
def test_rounds_of_other_code_are_no_rounds_of_the_same_and_are_measured_anew(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Any
) -> None:
    data = rig(net, {"counter": str(tmp_path / "count"), "fault": "raise", "first": 2, "last": 2})
    with pytest.raises(InferenceError, match="Round 2 failed"):
        edgerig.run(data, out=tmp_path / "out")
    (before,) = Bundle(tmp_path / "out").result().cells
    monkeypatch.setattr(context, "own_code", lambda: "another checkout")
    (cell,) = edgerig.run(data, out=tmp_path / "out", resume=True, progress=heard).cells
    assert any("It is measured anew." in line for line in heard.lines)
    assert len({entry.series for entry in cell.rounds}) == 1
    assert before.rounds[0].series not in {entry.series for entry in cell.rounds}
    assert len(cell.rounds) == 3


def test_a_run_of_before_rounds_is_not_gone_on_with(net: Path, tmp_path: Path) -> None:
    edgerig.run(rig(net, rounds=1), out=tmp_path / "out")
    bundle = Bundle(tmp_path / "out")
    bundle.write_header(msgspec.structs.replace(bundle.header(), version=1))
    (tmp_path / "out" / "results.json").unlink()
    with pytest.raises(UsageError, match="begun by an earlier edgerig"):
        edgerig.run(rig(net, rounds=1), out=tmp_path / "out", resume=True)
