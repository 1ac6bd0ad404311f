"""What a deployment does when its device goes away, sample by sample, on a device that dies as the test says."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.engine.rounds import deployment as module
from edgerig.engine.rounds.deployment import CHANCES, Deployment
from edgerig.errors import AnswerError, LeaseError, TargetError
from edgerig.measure.kinds import Unavailable
from edgerig.progress import Progress
from edgerig.rig.types import Measure
from edgerig.targets.base import DeviceRun, LoadReport, Session, Target
from edgerig.testing.faults import any_artifact

WARMUP = 3


class Device(Target):
    """Answers 10 samples a message. ``dies`` is asked before each with all samples so far, and may raise."""

    name = "dying"
    address = "dying"

    def __init__(self, dies: Callable[[float], bool] = lambda _: False, message: int = 10) -> None:
        super().__init__()
        self.dies, self.message = dies, message
        self.opened = 0
        self.refuses: list[TargetError] = []
        #: What sessions tell of themselves, one after another, beside what all of them tell.
        self.tells: list[dict[str, Any]] = []
        self.there = True
        #: The samples that ran, warm-up and all, session by session.
        self.ran: list[list[float]] = []

    def check(self) -> Any:
        if not self.there:
            raise TargetError("nobody is there.")

    def open(self, artifact: Any, runtime: str, options: dict[str, Any]) -> Session:
        self.opened += 1
        if self.refuses:
            raise self.refuses.pop()
        self.ran.append([])
        return Dying(self)


class Dying(Session):
    load_report = LoadReport(
        inputs=(),
        outputs=(),
        load_seconds=0.1,
        sha256="0" * 64,
        runtime="faulty",
        runtime_version="1",
        clock="c",
        invoke_method="m",
        threads=1,
    )

    def __init__(self, device: Device) -> None:
        self.device, self.dead = device, False
        self.log = device.ran[-1]
        changes = device.tells.pop(0) if device.tells else {}
        self.load_report = msgspec.structs.replace(type(self).load_report, **changes)

    def run(self, inputs: Sequence[Any], on_done: Any = None) -> DeviceRun:
        self.arrived = None
        (samples,) = inputs
        done = 0
        for place, sample in enumerate(samples[:, 0]):
            if self.dead or self.device.dies(float(sample)):
                self.dead = True
                self.arrived = results(samples[:done]) if done else None
                raise TargetError("it went away.")
            self.log.append(float(sample))
            if (place + 1) % self.device.message == 0:
                done = place + 1
        return results(samples)

    def transport(self, inputs: Any, count: int) -> Any:
        return Unavailable("")

    def profile(self, inputs: Any) -> Any:
        return Unavailable("")

    def memory(self) -> dict[str, Any]:
        if self.dead or self.device.dies(np.nan):
            self.dead = True
            raise TargetError("it went away.")
        return {}

    def machine(self) -> Any:
        return None

    def close(self) -> None:
        self.dead = True


def results(samples: Any) -> DeviceRun:
    return DeviceRun(
        outputs=(samples * 2,),
        times_ns=samples[:, 0].astype(np.int64),
        round_trips_ns=np.ones(1, np.int64),
        samples_per_request=np.array([len(samples)]),
    )


class Deaths:
    """Dies once before each of ``samples``, in order; NaN stands for the question after memory."""

    def __init__(self, *samples: float) -> None:
        self.left = list(samples)

    def __call__(self, sample: float) -> bool:
        if self.left and np.array_equal(sample, self.left[0], equal_nan=True):
            self.left.pop(0)
            return True
        return False


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_EVERY", 0.0)


@pytest.fixture
def deploy(tmp_path: Path) -> Callable[..., Deployment]:
    def make(device: Device, **measure: Any) -> Deployment:
        cell: Any = SimpleNamespace(id="cell", runtime=SimpleNamespace(use="any", options={}))
        settings = Measure(warmup=WARMUP, **measure)
        return Deployment(cell, any_artifact(tmp_path), device, settings, Progress(), lambda _: None)

    return make


#: Negative ones warm up, so that a sample's number tells what it was for.
SAMPLES = np.arange(300, dtype=np.float32)[:, None]
WARM = -1 - np.arange(WARMUP, dtype=np.float32)[:, None]


def measured(deployed: Deployment) -> tuple[list[float], int]:
    """The samples whose results came, and how many were told to be done."""
    told: list[int] = []
    runs = list(deployed.batches([SAMPLES], 0, told.append))
    assert all(np.array_equal(run.outputs[0][:, 0], run.times_ns * 2) for run in runs)
    return [float(x) for run in runs for x in run.times_ns], sum(told)


def test_undisturbed_every_sample_runs_once(deploy: Callable[..., Deployment]) -> None:
    device = Device()
    deployed = deploy(device)
    deployed.warm_up([WARM])
    assert measured(deployed) == (list(range(300)), 300)
    assert device.ran == [[*WARM[:, 0], *range(300)]]
    assert not deployed.interruptions


def test_it_goes_on_with_the_first_sample_whose_result_had_not_arrived(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(37))
    deployed = deploy(device)
    deployed.warm_up([WARM])
    assert measured(deployed) == (list(range(300)), 300)
    # The message of 30 to 39 was not answered.
    assert device.ran == [[*WARM[:, 0], *range(37)], [*WARM[:, 0], *range(30, 300)]]
    (text,) = deployed.interruptions
    assert "after sample 30 (it went away)" in text


def test_a_clock_that_measured_itself_anew_is_the_same_clock(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(50))
    device.tells = [{"clock": "perf_counter_ns, 10 ns"}, {"clock": "perf_counter_ns, 9 ns", "load_seconds": 0.2}]
    with deploy(device) as deployed:
        assert measured(deployed)[0] == list(range(300))


@pytest.mark.parametrize(
    "change", [{"clock": "cycles, 1 ns"}, {"runtime_version": "2"}, {"threads": 4}, {"sha256": "1" * 64}]
)
def test_another_device_at_the_same_address_does_not_go_on(
    deploy: Callable[..., Deployment], change: dict[str, Any]
) -> None:
    device = Device(Deaths(50))
    device.tells = [{}, change]
    with deploy(device) as deployed, pytest.raises(AnswerError, match=f"another device: it told {next(iter(change))}"):
        measured(deployed)


def test_two_losses_at_different_samples_of_one_piece_are_survived(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(21, 42), message=1)
    deployed = deploy(device)
    deployed.warm_up([WARM])
    assert measured(deployed) == (list(range(300)), 300)
    assert [run[WARMUP] for run in device.ran] == [0, 21, 42]
    assert [text.split("after ")[1].split(" (")[0] for text in deployed.interruptions] == ["sample 21", "sample 42"]


def test_a_loss_at_every_sample_is_survived(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(*range(1, 60)), message=1)
    assert measured(deploy(device)) == (list(range(300)), 300)


@pytest.mark.parametrize("message", [1, 10, 1000])
def test_a_sample_that_always_ends_the_device_is_closed_in_on_and_told(
    deploy: Callable[..., Deployment], message: int
) -> None:
    device = Device(lambda sample: sample == 200, message=message)
    deployed = deploy(device)
    told: list[int] = []
    with pytest.raises(TargetError, match=f"loss {CHANCES} after sample 200"):
        list(deployed.batches([SAMPLES], 0, told.append))
    assert sum(told) == 200, "what had arrived is kept"
    assert device.opened <= CHANCES + 8  # by halves: log2(300) tries at most


def test_a_device_that_dies_in_the_warm_up_is_warmed_up_again(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(-2))
    deployed = deploy(device)
    deployed.warm_up([WARM])
    assert measured(deployed) == (list(range(300)), 300)
    assert device.ran == [[-1], [*WARM[:, 0], *range(300)]]
    assert "in the warm-up" in deployed.interruptions[0]


def test_a_device_that_dies_in_the_warm_up_after_a_loss_too_comes_back(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(100, -2, -3), message=1)
    deployed = deploy(device)
    device.dies, deaths = (lambda _: False), device.dies
    deployed.warm_up([WARM])
    device.dies = deaths
    assert measured(deployed) == (list(range(300)), 300)
    assert len(deployed.interruptions) == 1
    assert device.opened == 4


def test_without_a_warm_up_the_first_inference_of_a_new_session_is_still_none_of_those_that_count(
    deploy: Callable[..., Deployment],
) -> None:
    device = Device(Deaths(40), message=1)
    deployed = deploy(device)
    deployed.measure = Measure(warmup=0)
    deployed.warm_up([WARM])
    assert measured(deployed) == (list(range(300)), 300)
    assert device.ran == [list(range(40)), [-1, *range(40, 300)]]


def test_a_question_is_put_again_and_its_loss_recorded(deploy: Callable[..., Deployment]) -> None:
    deployed = deploy(Device(Deaths(np.nan, np.nan)))
    assert deployed.ask("while its memory was read", lambda session: session.memory()) == {}
    assert ["while its memory was read" in text for text in deployed.interruptions] == [True, True]


def test_a_question_that_always_ends_the_device_is_given_up(deploy: Callable[..., Deployment]) -> None:
    device = Device(lambda sample: bool(np.isnan(sample)))
    with pytest.raises(TargetError, match=f"loss {CHANCES} in the profile"):
        deploy(device).ask("in the profile", lambda session: session.memory())
    assert device.opened == CHANCES


def test_a_question_is_not_repeated_for_longer_than_patience_lasts(
    deploy: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(0, 100_000, 60))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    device = Device(lambda sample: bool(np.isnan(sample)))
    with pytest.raises(TargetError, match="loss 2 in the profile"):
        deploy(device).ask("in the profile", lambda session: session.memory())


def test_the_first_inference_is_repeated_in_a_new_session(deploy: Callable[..., Deployment]) -> None:
    deployed = deploy(Device(Deaths(7)))
    assert deployed.first([SAMPLES[7:]]) == 7
    with pytest.raises(TargetError, match=f"loss {CHANCES} in the first inference"):
        deploy(Device(lambda _: True)).first([SAMPLES])


def test_without_patience_the_first_loss_is_the_end(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(10), message=1)
    deployed = deploy(device, patience=0)
    with pytest.raises(TargetError, match=r"^it went away\.$"):
        list(deployed.batches([SAMPLES], 0, lambda _: None))
    assert device.opened == 1


def test_a_device_that_is_gone_when_the_network_is_deployed_is_waited_for(deploy: Callable[..., Deployment]) -> None:
    device = Device()
    device.there = False
    device.refuses = [TargetError("nobody is there.")] * 20
    deployed = deploy(device)
    assert device.opened == 21
    assert "while the network was deployed" in deployed.interruptions[0]


def test_a_device_that_is_there_and_refuses_the_network_is_not_asked_for_ever(
    deploy: Callable[..., Deployment],
) -> None:
    device = Device()
    device.refuses = [TargetError("the network is too large.")] * 100
    with pytest.raises(TargetError, match="too large"):
        deploy(device)
    assert device.opened == 1 + CHANCES


def test_a_device_that_stays_away_is_told_with_how_long_it_was_waited_for(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(10))
    deployed = deploy(device, patience=0.05)
    device.there = False
    device.refuses = [TargetError("nobody is there.")] * 1_000_000
    with pytest.raises(TargetError, match=r"it went away\. It was waited for, 0\.05 s in vain"):
        list(deployed.batches([SAMPLES], 0, lambda _: None))


def test_a_device_that_has_passed_to_another_run_is_not_waited_for(deploy: Callable[..., Deployment]) -> None:
    device = Device(Deaths(10))
    deployed = deploy(device)
    device.refuses = [LeaseError("It has passed to bob.")]
    with pytest.raises(LeaseError, match="bob"):
        list(deployed.batches([SAMPLES], 0, lambda _: None))


def test_a_device_that_is_busy_from_the_start_is_not_waited_for(deploy: Callable[..., Deployment]) -> None:
    device = Device()
    device.refuses = [LeaseError("The device is busy.", retry_after=5.0)]
    with pytest.raises(LeaseError, match="busy"):
        deploy(device)


def test_a_session_that_keeps_no_answers_repeats_its_piece(
    deploy: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "arrived", property(lambda _: None, lambda *_: None), raising=False)
    device = Device(Deaths(37))
    assert measured(deploy(device)) == (list(range(300)), 300)
    assert device.ran[1][0] == 0


def test_a_warm_up_takes_no_more_memory_than_a_piece(
    deploy: Callable[..., Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty samples of 512 MB at once would be 10 GB."""
    sent: list[int] = []
    device = Device()
    deployment = deploy(device)
    monkeypatch.setattr(module, "PIECE_BYTES", 3 * 4)
    run = deployment.session.run
    monkeypatch.setattr(deployment.session, "run", lambda given: (sent.append(len(given[0])), run(given))[1])
    deployment.warm_up([np.arange(5, dtype=np.float32)[:, None]])
    assert sum(sent) == WARMUP
    assert max(sent) == 3
    assert device.ran[-1] == [float(place % 3) for place in range(WARMUP)]
