"""Pairs of real processes on this machine."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from edgerig.engine.compare.pair import Variant, paired_chunks
from edgerig.engine.compare.processes import VariantError, run_pair
from edgerig.engine.compare.series import measure_pairs
from edgerig.engine.compare.verdicts import time_verdicts
from edgerig.engine.cores import cpu_time_ns
from edgerig.errors import Interrupted, TargetError
from edgerig.progress import Progress
from edgerig.results.compare.failures import failure_verdict
from edgerig.rig.types import Part
from edgerig.targets.local import Local
from edgerig.targets.remote.session import WireSession
from edgerig.testing.faults import MISCLOCKED, any_artifact
from edgerig.testing.faults import NAME as FAULTY

pytestmark = pytest.mark.fresh_processes("both of a pair are to be fresh, and their times are compared")

INPUTS = np.ones((8, 4), np.float32)


@pytest.fixture
def local():
    target = Local()
    yield target
    target.close()


def faulty(folder: Path, runtime: str = FAULTY, **options: object) -> Variant:
    name = "-".join(map(str, options.values())) or "good"
    return Variant(name, any_artifact(folder), Part(runtime, dict(options)), (INPUTS,))


@pytest.mark.slow
def test_both_processes_are_fresh_take_turns_and_are_held_on_one_core(local, tmp_path, monkeypatch) -> None:
    order = []
    run = WireSession.run

    def noted(session, inputs, on_done=None):
        order.append(session.pid)
        return run(session, inputs, on_done)

    monkeypatch.setattr(WireSession, "run", noted)
    good = faulty(tmp_path, seconds=0.001)
    pairs = [run_pair(local, good, good, number) for number in range(2)]
    pids = list(dict.fromkeys(order))
    assert len(pids) == 4
    turns = [pid for pid in order if pid in pids[:2]][-4:]
    assert turns in ([pids[0], pids[1], pids[1], pids[0]], [pids[1], pids[0], pids[0], pids[1]])
    cores = sorted(os.sched_getaffinity(0))
    assert [pair.core for pair in pairs] == [cores[number % len(cores)] for number in range(2)]
    for pair in pairs:
        assert len(pair.first.chunks) == len(pair.second.chunks) > 1
        assert {chunk.shape for chunk in (*pair.first.chunks, *pair.second.chunks)} == {pair.first.chunks[0].shape}
        assert all(np.median(a) > 1e6 for a, _ in paired_chunks(pair))
        assert len(pair.first.cpu_ns) in (0, len(pair.first.chunks)), "counted for each chunk, or not at all"
        assert pair.first.message_bytes == 2 * 4 * 4


def test_processor_time_is_that_of_the_process() -> None:
    if cpu_time_ns(os.getpid()) is None:
        pytest.skip("this system does not count it by process")
    before, clock = cpu_time_ns(os.getpid()), time.process_time_ns()
    while time.process_time_ns() - clock < 50_000_000:
        pass
    after, spent = cpu_time_ns(os.getpid()), time.process_time_ns() - clock
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(spent, rel=0.2)
    assert cpu_time_ns(None) is None
    assert cpu_time_ns(2**30) is None, "there is no such process"


@pytest.mark.slow
def test_the_variant_that_dies_is_named(local, tmp_path) -> None:
    good, bad = faulty(tmp_path), faulty(tmp_path, fault="abort", after=5)
    with pytest.raises(VariantError, match="SIGABRT") as caught:
        run_pair(local, good, bad, 0)
    assert (caught.value.second, caught.value.crashed) == (True, True)
    with pytest.raises(VariantError) as caught:
        run_pair(local, bad, good, 1)
    assert not caught.value.second


def test_times_that_cannot_be_are_no_crash(local, tmp_path) -> None:
    fast = faulty(tmp_path, MISCLOCKED, seconds=0.004, factor=4.0)
    with pytest.raises(VariantError, match="too fast") as caught:
        run_pair(local, faulty(tmp_path), fast, 0)
    assert (caught.value.second, caught.value.crashed) == (True, False)


@pytest.mark.slow
def test_a_variant_that_dies_again_and_again_ends_the_series_without_a_verdict_on_times(local, tmp_path) -> None:
    variants = faulty(tmp_path), faulty(tmp_path, fault="exit", after=30)
    series = measure_pairs(local, variants, 20, lambda pairs: False, Progress(), "t")
    assert (series.pairs, series.given_up, series.crashes) == ([], True, [0, 4])
    assert all("B failed" in text for text in series.lost)
    verdict = time_verdicts(series, 0.02, None)["latency"]
    assert (verdict.verdict, verdict.low) == ("inconclusive", None)
    assert failure_verdict(*series.crashes, series.started).verdict == "worse"


@pytest.mark.slow
def test_a_variant_that_takes_half_as_long_again_is_slower(local, tmp_path) -> None:
    a, b = faulty(tmp_path, seconds=0.002), faulty(tmp_path, seconds=0.003)
    series = measure_pairs(local, (a, b), 4, lambda pairs: True, Progress(), "t")
    assert time_verdicts(series, 0.02, None)["latency"].verdict == "slower"


class OneAtATime(Local):
    """A device that holds one network at a time, as an agent or a board does."""

    side_by_side = False

    def open(self, artifact, runtime, options):
        if any(not session._closed for session in self._sessions):
            raise TargetError("busy")
        return super().open(artifact, runtime, options)


@pytest.mark.slow
def test_a_device_that_holds_one_network_is_given_each_in_turn(tmp_path) -> None:
    target = OneAtATime()
    pair = run_pair(target, faulty(tmp_path, seconds=0.002), faulty(tmp_path, seconds=0.004), 0)
    assert pair.core is None
    ratios = [float(np.median(b) / np.median(a)) for a, b in paired_chunks(pair)]
    assert min(ratios) > 1.2


class Interrupting(Local):
    """Ctrl-C while the second process of the second pair is there already."""

    def __init__(self) -> None:
        super().__init__()
        self.pids: list[int] = []

    def open(self, artifact, runtime, options):
        session = super().open(artifact, runtime, options)
        self.pids.append(session.pid)
        if len(self.pids) == 4:
            signal.raise_signal(signal.SIGINT)
        return session


@pytest.mark.slow
def test_ctrl_c_in_a_pair_says_that_there_is_no_verdict_and_leaves_no_process(tmp_path) -> None:
    kept: list[int] = []
    target = Interrupting()
    with pytest.raises(Interrupted, match="Stopped in pair 2 of t: there is no verdict"):
        measure_pairs(
            target,
            (faulty(tmp_path), faulty(tmp_path)),
            20,
            lambda pairs: False,
            Progress(),
            "t",
            lambda pairs: kept.append(len(pairs)),
        )
    assert kept == [1]
    assert not any(Path(f"/proc/{pid}").exists() for pid in target.pids[:3])
    target.close()
    assert not Path(f"/proc/{target.pids[3]}").exists()
