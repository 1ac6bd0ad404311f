import numpy as np
import pytest

from edgerig.agent.single_sample import SingleSampleRunner, as_bytes
from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError, WireError
from edgerig.runtimes.base import Runtime
from edgerig.wire import messages


class Sum(Runtime):
    """Adds its two inputs; gives the sum with and the largest number without a batch axis."""

    name, summary, formats = "sum", "for tests", frozenset({"tflite"})

    @classmethod
    def version(cls):
        return "1"

    def _load(self, path):
        self.bad = False

    def _inputs(self):
        return TensorSpec("a", (1, 2, 3), "float32"), TensorSpec("b", (1, 6), "int16")

    def _outputs(self):
        return TensorSpec("sum", (1, 6), "float32"), TensorSpec("max", (), "float32")

    def _calls(self):
        self.bound = getattr(self, "bound", 0) + 1

        def set_inputs(sample):
            self.sample = sample

        def invoke():
            if self.bad:
                raise RuntimeError("engine on fire")
            self.sum = self.sample[0].reshape(1, 6) + self.sample[1]

        return set_inputs, invoke, lambda: (self.sum, self.sum.max())


@pytest.fixture
def runtime(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"x")
    made = Sum()
    made.load(path)
    return made


def payload(a: float, b: int) -> bytearray:
    return bytearray(np.full(6, a, np.float32).tobytes() + np.full(6, b, np.int16).tobytes())


def outputs(answer):
    header, parts = answer
    count, views = messages.unpack_tensors(header, memoryview(b"".join(parts)), before=8)
    assert count == 1
    return [np.frombuffer(view, np.float32).tolist() for view in views]


def test_it_gives_what_run_gives(runtime):
    single = SingleSampleRunner(runtime)
    expected = runtime.run([np.full((1, 2, 3), 1.5, np.float32), np.full((1, 6), 2, np.int16)])
    got = outputs(single.run(memoryview(payload(1.5, 2))))
    assert got == [expected.outputs[0][0].tolist(), [expected.outputs[1][0]]]
    assert single.elapsed > 0


def test_same_view_with_new_bytes_is_a_new_sample(runtime):
    single = SingleSampleRunner(runtime)
    place = payload(1, 1)
    view = memoryview(place)
    first = outputs(single.run(view))
    place[:] = payload(10, 5)
    assert outputs(single.run(view)) == [[15.0] * 6, [15.0]]
    assert outputs(single.run(memoryview(payload(2, 2)))) == [[4.0] * 6, [4.0]]
    assert first == [[2.0] * 6, [2.0]]


def test_the_engine_is_bound_once(runtime):
    single = SingleSampleRunner(runtime)
    for _ in range(5):
        single.run(memoryview(payload(1, 1)))
        runtime.run([np.zeros((2, 2, 3), np.float32), np.zeros((2, 6), np.int16)])
    assert runtime.bound == 1


@pytest.mark.parametrize("length", [0, 35, 37, 72])
def test_payload_of_another_length_is_refused(runtime, length):
    with pytest.raises(WireError, match="36 B"):
        SingleSampleRunner(runtime).run(memoryview(bytes(length)))


def test_engine_that_fails_is_told_and_the_next_sample_runs(runtime):
    single = SingleSampleRunner(runtime)
    runtime.bad = True
    with pytest.raises(InferenceError, match="engine on fire"):
        single.run(memoryview(payload(1, 1)))
    runtime.bad = False
    assert outputs(single.run(memoryview(payload(1, 1))))[1] == [2.0]


def test_closed_runtime_runs_nothing(runtime):
    single = SingleSampleRunner(runtime)
    single.run(memoryview(payload(1, 1)))
    runtime.close()
    with pytest.raises(InferenceError, match="no network"):
        single.run(memoryview(payload(1, 1)))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3), np.float32),
        np.float32(3).reshape(()),
        np.arange(12).reshape(3, 4).T,
        np.ones((2, 2), bool),
        np.ones(3, np.float16),
        np.arange(10, dtype=np.int8)[::2],
        np.ones((1, 2), np.complex64),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_bytes_of_any_array(array):
    view = as_bytes(array)
    assert view.format == "B"
    assert view.nbytes == array.nbytes
    assert bytes(view) == array.tobytes()
