from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError, SpecError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.plugins import make
from edgerig.runtimes import base
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.litert import LiteRt, LiteRtSettings
from edgerig.runtimes.operator_times import operator_time
from edgerig.testing.networks.recurrent import running_sum_tflite


class Counting(Runtime):
    """Writes down every call that the loop makes."""

    name = "counting"
    summary = "for tests"
    formats = frozenset({"tflite"})

    def __init__(self, output: Callable[[int], Any] | None = None) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.seen: list[Any] = []
        self.closed = 0
        self.input_shape: tuple[int, ...] = (1, 2)
        self.output = output or (lambda index: np.full((1, 3), index, np.float32))
        self.output_spec = TensorSpec("y", (1, 3), "float32")
        self.layers: list[LayerTime] | Unavailable = Unavailable("none")

    @classmethod
    def version(cls) -> str:
        return "1"

    def _load(self, path: Path) -> None:
        if path.read_bytes() == b"bad":
            raise RuntimeError("unknown operator\nat line 3")

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("x", self.input_shape, "float32"),)

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return (self.output_spec,)

    def _calls(self) -> base.Calls:
        def set_inputs(sample: Sequence[Any]) -> None:
            self.calls.append("set")
            self.seen.append(sample[0].copy())

        def get_outputs() -> Sequence[Any]:
            self.calls.append("get")
            return (self.output(self.calls.count("get") - 1),)

        return set_inputs, lambda: self.calls.append("invoke"), get_outputs

    def _profile(self, batches: Sequence[Any]) -> list[LayerTime] | Unavailable:
        self.calls.append(f"profile {len(batches[0])}")
        return self.layers

    def _close(self) -> None:
        self.closed += 1


@pytest.fixture
def runtime(tmp_path: Path) -> Counting:
    runtime = Counting()
    runtime.load(good(tmp_path))
    return runtime


def good(folder: Path) -> Path:
    path = folder / "good.tflite"
    path.write_bytes(b"good")
    return path


def test_the_hot_loop_makes_three_calls_and_two_clock_readings_a_sample(
    runtime: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clock() -> int:
        runtime.calls.append("clock")
        return len(runtime.calls)

    monkeypatch.setattr(base.time, "perf_counter_ns", clock)
    runtime.run([np.zeros((5, 2), np.float32)])
    assert runtime.calls == ["set", "clock", "invoke", "clock", "get"] * 5


def test_only_the_invocation_lies_between_the_readings(runtime: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0

    def clock() -> int:
        return now

    def calls() -> base.Calls:
        def advance(step: int) -> Callable[..., Any]:
            def call(*_: Any) -> Any:
                nonlocal now
                now += step
                return (np.zeros((1, 3), np.float32),)

            return call

        return advance(1000), advance(7), advance(1000)

    monkeypatch.setattr(base.time, "perf_counter_ns", clock)
    monkeypatch.setattr(runtime, "_calls", calls)
    assert runtime.run([np.zeros((4, 2), np.float32)]).times_ns.tolist() == [7, 7, 7, 7]


def test_the_calls_are_made_once_a_run_not_once_a_sample(runtime: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    calls = runtime._calls

    def counted() -> base.Calls:
        made.append(1)
        return calls()

    monkeypatch.setattr(runtime, "_calls", counted)
    runtime.run([np.zeros((100, 2), np.float32)])
    assert len(made) == 1


def test_samples_arrive_in_order_with_their_batch_axis(runtime: Counting) -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    result = runtime.run([x])
    assert [sample.shape for sample in runtime.seen] == [(1, 2)] * 3
    np.testing.assert_array_equal(np.concatenate(runtime.seen), x)
    np.testing.assert_array_equal(result.outputs[0][:, 0], [0, 1, 2])


@pytest.mark.parametrize(
    ("one", "joined"), [((), (4,)), ((1,), (4,)), ((1, 5), (4, 5)), ((7, 5), (4, 7, 5)), ((0, 5), (4, 0, 5))]
)
def test_outputs_of_any_shape_get_one_axis_of_samples(
    runtime: Counting, one: tuple[int, ...], joined: tuple[int, ...]
) -> None:
    runtime.output = lambda index: np.full(one, index, np.float32)
    runtime.output_spec = TensorSpec("y", one, "float32")
    (output,) = runtime.run([np.zeros((4, 2), np.float32)]).outputs
    assert output.shape == joined


def test_an_output_that_changes_its_shape_is_refused_by_name(runtime: Counting) -> None:
    runtime.output = lambda index: np.zeros((index + 2, 3), np.float32)
    with pytest.raises(InferenceError, match=r"'y' changes its shape.*\[2, 3\]"):
        runtime.run([np.zeros((2, 2), np.float32)])


def test_an_engine_that_fails_while_running_is_an_inference_error(runtime: Counting) -> None:
    def fail(_: int) -> Any:
        raise MemoryError("arena")

    runtime.output = fail
    with pytest.raises(InferenceError, match="counting failed while running: MemoryError: arena"):
        runtime.run([np.zeros((1, 2), np.float32)])


def test_a_keyboard_interrupt_is_not_swallowed(runtime: Counting) -> None:
    def stop(_: int) -> Any:
        raise KeyboardInterrupt

    runtime.output = stop
    with pytest.raises(KeyboardInterrupt):
        runtime.run([np.zeros((1, 2), np.float32)])


def test_loading_words_of_the_engine_are_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(b"bad")
    with pytest.raises(InferenceError, match="counting cannot load") as caught:
        Counting().load(path)
    assert caught.value.message == "counting cannot load bad.tflite: RuntimeError: unknown operator"


def test_an_engine_that_cannot_be_imported_is_told_apart_from_a_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise ImportError("libfoo.so.1: cannot open shared object file")

    runtime = Counting()
    monkeypatch.setattr(runtime, "_prepare", fail)
    with pytest.raises(InferenceError, match="cannot be imported: ImportError: libfoo") as caught:
        runtime.load(good(tmp_path))
    assert "pip install" in (caught.value.hint or "")


@pytest.mark.parametrize("shape", [(), (0, 2), (1, 0), (1, -1), (-1, 2)])
def test_an_input_without_a_batch_axis_or_of_no_size_is_refused_and_closed(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    runtime = Counting()
    runtime.input_shape = shape
    with pytest.raises(InferenceError, match="batch axis"):
        runtime.load(good(tmp_path))
    assert runtime.closed == 1


def test_loading_anew_closes_the_network_before(runtime: Counting, tmp_path: Path) -> None:
    runtime.load(good(tmp_path))
    assert runtime.closed == 1


def test_preparing_is_no_part_of_the_load_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0

    def advance(nanoseconds: int) -> Callable[[Path], None]:
        def call(_: Path) -> None:
            nonlocal now
            now += nanoseconds

        return call

    runtime = Counting()
    monkeypatch.setattr(base.time, "perf_counter_ns", lambda: now)
    monkeypatch.setattr(runtime, "_prepare", advance(10**9))
    monkeypatch.setattr(runtime, "_load", advance(2000))
    runtime.load(good(tmp_path))
    assert runtime.load_seconds == pytest.approx(2e-6)


def test_a_profile_takes_no_more_samples_than_it_needs(runtime: Counting) -> None:
    runtime.profile([np.zeros((base.PROFILE_SAMPLES + 50, 2), np.float32)])
    assert runtime.calls == [f"profile {base.PROFILE_SAMPLES}"]


def test_a_profile_with_a_wrong_input_is_an_error_not_unavailable(runtime: Counting) -> None:
    with pytest.raises(InferenceError, match="'x' takes float32"):
        runtime.profile([np.zeros((2, 2), np.int8)])


def layer(index: int, seconds: float) -> LayerTime:
    return LayerTime(index=index, name=f"{index}", op="OP", time=operator_time(seconds, "method", "clock", 9))


def test_a_profile_that_adds_up_to_much_more_than_the_network_says_so(
    runtime: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter(range(0, 10**9, 10_000))
    monkeypatch.setattr(base.time, "perf_counter_ns", lambda: next(readings))
    runtime.layers = [layer(0, 20e-6), layer(1, 0.0), layer(2, 20e-6)]
    layers = runtime.profile([np.zeros((9, 2), np.float32)])
    assert not isinstance(layers, Unavailable)
    assert isinstance(layers[1].time, Unavailable)
    for index in (0, 2):
        time = layers[index].time
        assert isinstance(time, Measurement)
        assert "4.0 times as long" in time.warnings[0]


def test_a_profile_that_adds_up_has_no_warning(runtime: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter(range(0, 10**9, 10_000))
    monkeypatch.setattr(base.time, "perf_counter_ns", lambda: next(readings))
    runtime.layers = [layer(0, 5e-6), layer(1, 5e-6)]
    assert runtime.profile([np.zeros((9, 2), np.float32)]) == runtime.layers


def test_an_operator_too_short_to_tell_is_unavailable_and_never_zero() -> None:
    assert isinstance(operator_time(0.0, "m", "c", 5), Unavailable)
    assert isinstance(operator_time(0.4e-6, "m", "c", 5), Unavailable)
    time = operator_time(0.6e-6, "m", "c", 5)
    assert isinstance(time, Measurement)
    assert time.value == 0.6e-6


def test_what_is_said_of_the_resolution_is_no_claim_about_a_sum() -> None:
    time = operator_time(3e-6, "how", "c", 5)
    assert isinstance(time, Measurement)
    assert time.method == "how; single times are whole microseconds"


def test_an_output_is_carried_to_the_next_inference_in_its_own_numbers(tmp_path: Path) -> None:
    """An int8 state begins at its zero point, which stands for 0; the profile begins anew with each sample."""
    path = running_sum_tflite(tmp_path / "sum.tflite", int8=True)
    with LiteRt(LiteRtSettings(state={"before": "next"})) as runtime:
        runtime.load(path)
        assert [spec.name for spec in runtime.inputs] == ["x"]
        assert [spec.name for spec in runtime.outputs] == ["next", "score"]
        x = np.array([[4, 5, 3, 1]] * 3, np.int8)
        for _ in range(2):
            after, score = runtime.run([x]).outputs
            assert (after - np.int8(3)).tolist() == [[n, 2 * n, 0, -2 * n] for n in (1, 2, 3)]
            np.testing.assert_array_equal(after, score)
            runtime.begin_sequence()
        assert not isinstance(runtime.profile([x]), Unavailable)
        with pytest.raises(InferenceError, match="has 1 inputs, 2 were given"):
            runtime.run([x, x])


def test_a_state_that_comes_out_by_another_scale_is_refused(tmp_path: Path) -> None:
    path = running_sum_tflite(tmp_path / "sum.tflite", int8=True, other_scale=True)
    runtime = LiteRt(LiteRtSettings(state={"before": "next"}))
    with pytest.raises(InferenceError, match="differ in quantization: scale 2, zero point 3 and scale 1"):
        runtime.load(path)
    with pytest.raises(InferenceError, match="no network is loaded"):
        _ = runtime.inputs


@pytest.mark.parametrize("threads", [0, 4097, 2**63])
def test_more_threads_than_any_device_has_are_refused(threads: int) -> None:
    with pytest.raises(SpecError, match="threads"):
        make("runtime", "litert", Runtime, {"threads": threads})
