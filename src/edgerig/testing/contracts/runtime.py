"""The contract of a runtime: subclass `RuntimeContract` and provide its fixtures to test your runtime."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig import formats
from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.plugins import Settings
from edgerig.runtimes.base import Runtime

Array = NDArray[Any]


def samples_for(specs: Sequence[TensorSpec], count: int, seed: int = 0) -> list[Array]:
    """Random samples for the inputs ``specs``: for each an array (count, ...) of its dtype."""
    rng = np.random.default_rng(seed)
    samples: list[Array] = []
    for spec in specs:
        shape = (count, *spec.shape[1:])
        if np.issubdtype(spec.dtype, np.integer):
            limits = np.iinfo(spec.dtype)
            samples.append(rng.integers(max(limits.min, -128), min(limits.max, 127), shape, dtype=spec.dtype))
        else:
            samples.append(rng.normal(size=shape).astype(spec.dtype))
    return samples


def check_placed(runtime: Runtime) -> None:
    """Samples that stay where they are give what `run` gives, also after another number of them, and after `run`."""
    count = 5
    inputs = samples_for(runtime.inputs, count)
    expected = runtime.run(inputs).outputs
    outputs = [np.zeros((count, *spec.shape), spec.dtype) for spec in runtime.outputs]
    places = [
        (
            [array[row : row + 1].reshape(spec.shape) for array, spec in zip(inputs, runtime.inputs, strict=True)],
            [array[row] for array in outputs],
        )
        for row in range(count)
    ]
    times = np.zeros(count, np.int64)
    run = runtime.placed(places, times)
    for some in (count, 1, 3):
        times[:] = 0
        for output in outputs:
            output[:] = 0
        run(some)
        assert (times[:some] > 0).all()
        assert not times[some:].any()
        for output, want in zip(outputs, expected, strict=True):
            assert output[:some].tobytes() == want[:some].tobytes()
            assert not output[some:].any()
        # What is there now goes in, not what was there when the places were told.
        for array in inputs:
            array[:] = array[::-1].copy()
        expected = tuple(array[::-1] for array in expected)
        assert [a.tobytes() for a in runtime.run(inputs).outputs] == [a.tobytes() for a in expected]
    runtime.close()
    with pytest.raises(InferenceError, match="no network is loaded"):
        run(1)


class RuntimeContract:
    """Tests that every runtime passes.

    A subclass provides the fixtures ``runtime`` (a new one without a network), ``network`` (a file it runs),
    ``wrong_network`` (a broken file of its format) and, where the engine takes such, ``network_of_several`` (a network
    of several inputs), and `reference`, which runs samples through the engine's own interface.
    """

    @pytest.fixture
    def runtime(self) -> Runtime:
        """A fresh runtime without a network."""
        raise NotImplementedError

    @pytest.fixture
    def network(self) -> Path:
        """A small network that the runtime runs."""
        raise NotImplementedError

    @pytest.fixture
    def wrong_network(self) -> Path:
        """A file that the engine must refuse."""
        raise NotImplementedError

    @pytest.fixture
    def network_of_several(self) -> Path | None:
        """A network of at least two inputs that differ in shape; None where the engine has none such."""
        return None

    @pytest.fixture
    def network_with_state(self) -> Path | None:
        """A network that keeps state between inferences; None where the engine runs none such."""
        return None

    def reference(self, path: Path, inputs: Sequence[Array]) -> list[Array]:
        """The outputs, each (n, ...), of the samples from the engine's own interface."""
        raise NotImplementedError

    def test_the_class_declares_what_it_is(self, runtime: Runtime) -> None:
        assert runtime.name
        assert runtime.summary
        assert runtime.formats
        for name in runtime.formats:
            # Raises an `UnknownNameError` that names the nearest: the runtime's module defines or imports its format.
            assert formats.named(name).name == name
        assert runtime.invoke_method
        assert isinstance(runtime.settings, Settings)
        assert msgspec.structs.asdict(runtime.settings)["threads"] >= 1
        assert runtime.version()

    def test_another_format_is_refused_with_the_reason(self, runtime: Runtime) -> None:
        reason = type(runtime).refuses("no-such-format", "float32")
        assert reason is not None
        assert "no-such-format" in reason
        for format in runtime.formats:
            assert type(runtime).refuses(format, "float32") is None

    def test_a_call_without_a_network_names_itself(self, runtime: Runtime) -> None:
        for name, call in {
            "inputs": lambda: runtime.inputs,
            "outputs": lambda: runtime.outputs,
            "run": lambda: runtime.run([]),
            "profile": lambda: runtime.profile([]),
            "memory": runtime.memory,
            "begin_sequence": runtime.begin_sequence,
        }.items():
            with pytest.raises(InferenceError, match=rf"{type(runtime).__name__}\.{name}: no network is loaded"):
                call()

    def test_a_missing_file_is_an_inference_error(self, runtime: Runtime, tmp_path: Path) -> None:
        with pytest.raises(InferenceError, match="no such file"):
            runtime.load(tmp_path / "absent.file")

    def test_a_broken_file_is_refused_and_leaves_the_runtime_empty(
        self, runtime: Runtime, network: Path, wrong_network: Path
    ) -> None:
        runtime.load(network)
        with pytest.raises(InferenceError) as caught:
            runtime.load(wrong_network)
        assert wrong_network.name in str(caught.value)
        assert caught.value.hint
        with pytest.raises(InferenceError, match="no network is loaded"):
            _ = runtime.inputs

    def test_a_file_cut_short_is_refused(self, runtime: Runtime, network: Path, tmp_path: Path) -> None:
        whole = network if network.is_file() else max(network.rglob("*"), key=lambda item: item.stat().st_size)
        content = whole.read_bytes()
        for size in (0, 1, 8, len(content) // 2, len(content) - 1):
            short = tmp_path / f"short-{size}{network.suffix}"
            if network.is_dir():
                shutil.copytree(network, short)
            (short / whole.relative_to(network) if network.is_dir() else short).write_bytes(content[:size])
            with pytest.raises(InferenceError, match="short-"):  # noqa: PT012 - what is loaded says how it was cut
                runtime.load(short)
                pytest.fail(f"{size} of {len(content)} bytes were loaded as a network: the file needs an end to check.")

    def test_tensors_are_described(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        assert runtime.load_seconds > 0
        for spec in (*runtime.inputs, *runtime.outputs):
            assert spec.name
            assert all(size > 0 for size in spec.shape)
            assert np.dtype(spec.dtype).name == spec.dtype
        assert all(spec.shape[0] == 1 for spec in runtime.inputs)

    def test_outputs_are_the_engines_own_bit_for_bit(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        inputs = samples_for(runtime.inputs, 7)
        result = runtime.run(inputs)
        expected = self.reference(network, inputs)
        assert len(result.outputs) == len(expected) == len(runtime.outputs)
        for spec, got, want in zip(runtime.outputs, result.outputs, expected, strict=True):
            assert got.dtype.name == spec.dtype
            assert got.shape == (7, *spec.shape[1:])
            np.testing.assert_array_equal(got, want)

    def test_every_sample_has_a_positive_time(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        times = runtime.run(samples_for(runtime.inputs, 11)).times_ns
        assert times.shape == (11,)
        assert times.dtype == np.int64
        assert (times > 0).all()

    def test_results_do_not_change_when_the_network_runs_again(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        inputs = samples_for(runtime.inputs, 3)
        first = runtime.run(inputs)
        kept = [output.copy() for output in first.outputs]
        runtime.run([-array for array in inputs])
        for output, copy in zip(first.outputs, kept, strict=True):
            np.testing.assert_array_equal(output, copy)
        for output, again in zip(first.outputs, runtime.run(inputs).outputs, strict=True):
            np.testing.assert_array_equal(output, again)

    def test_samples_run_where_they_lie(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        check_placed(runtime)

    def test_a_sequence_begins_as_in_a_fresh_process(
        self, runtime: Runtime, network: Path, network_with_state: Path | None
    ) -> None:
        if not runtime.resets_state:
            runtime.load(network)
            with pytest.raises(InferenceError, match="cannot reset the state"):
                runtime.begin_sequence()
            return
        runtime.load(network_with_state or network)
        inputs = samples_for(runtime.inputs, 5)
        fresh = runtime.run(inputs).outputs
        if network_with_state is not None:
            carried = runtime.run(inputs).outputs
            assert any(not np.array_equal(got, want) for got, want in zip(carried, fresh, strict=True))
        for _ in range(2):
            runtime.begin_sequence()
            again = [runtime.run([array[:3] for array in inputs]).outputs, runtime.run([a[3:] for a in inputs]).outputs]
            for got, want in zip(map(np.concatenate, zip(*again, strict=True)), fresh, strict=True):
                assert got.tobytes() == want.tobytes()

    def test_inputs_are_left_as_they_were(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        inputs = samples_for(runtime.inputs, 3)
        for array in inputs:
            array.flags.writeable = False
        strided = [np.repeat(array, 2, axis=0)[::2] for array in inputs]
        for got, want in zip(runtime.run(strided).outputs, runtime.run(inputs).outputs, strict=True):
            np.testing.assert_array_equal(got, want)

    def test_wrong_inputs_are_refused_by_what_is_wrong(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        good = samples_for(runtime.inputs, 3)
        name = runtime.inputs[0].name
        other = np.float64 if good[0].dtype != np.float64 else np.float32
        with pytest.raises(InferenceError, match=rf"{name}.*not float"):
            runtime.run([good[0].astype(other), *good[1:]])
        with pytest.raises(InferenceError, match=name):
            runtime.run([good[0][..., :-1], *good[1:]])
        with pytest.raises(InferenceError, match=name):
            runtime.run([np.zeros((), good[0].dtype), *good[1:]])
        with pytest.raises(InferenceError, match="at least one"):
            runtime.run([array[:0] for array in good])
        with pytest.raises(InferenceError, match="inputs"):
            runtime.run([*good, good[0]])

    def test_several_inputs_get_their_own_arrays(self, runtime: Runtime, network_of_several: Path | None) -> None:
        if network_of_several is None:
            pytest.skip("the fixture network_of_several gives no network")
        runtime.load(network_of_several)
        specs = runtime.inputs
        assert len(specs) > 1
        assert len({spec.name for spec in specs}) == len(specs)
        inputs = samples_for(specs, 5)
        result = runtime.run(inputs)
        expected = self.reference(network_of_several, inputs)
        assert len(result.outputs) == len(expected) == len(runtime.outputs)
        for spec, got, want in zip(runtime.outputs, result.outputs, expected, strict=True):
            assert got.dtype.name == spec.dtype
            np.testing.assert_array_equal(got, want)
        with pytest.raises(InferenceError, match=specs[0].name):
            runtime.run(list(reversed(inputs)))
        with pytest.raises(InferenceError, match="inputs"):
            runtime.run(inputs[:-1])
        with pytest.raises(InferenceError, match="same number of samples"):
            runtime.run([inputs[0], *(array[:-1] for array in inputs[1:])])

    def test_two_networks_one_after_another(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        inputs = samples_for(runtime.inputs, 2)
        first = runtime.run(inputs)
        runtime.load(network)
        for got, want in zip(runtime.run(inputs).outputs, first.outputs, strict=True):
            np.testing.assert_array_equal(got, want)

    def test_closing_twice_is_fine_and_loading_again_too(self, runtime: Runtime, network: Path) -> None:
        with runtime:
            runtime.load(network)
        runtime.close()
        with pytest.raises(InferenceError, match="no network is loaded"):
            runtime.run([])
        runtime.load(network)
        runtime.run(samples_for(runtime.inputs, 1))

    def test_profile_and_memory_are_numbers_or_reasons(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        layers = runtime.profile(samples_for(runtime.inputs, 20))
        if isinstance(layers, Unavailable):
            assert layers.reason
        else:
            assert [layer.index for layer in layers] == list(range(len(layers)))
            assert all(layer.op for layer in layers)
            for layer in layers:
                _is_quantity(layer.time, "s")
        for quantity in runtime.memory().values():
            _is_quantity(quantity, "B")

    def test_census_is_of_operators_or_a_reason_and_changes_nothing(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        samples = samples_for(runtime.inputs, 2)
        before = runtime.run(samples)
        census = runtime.census(samples)
        for old, new in zip(before.outputs, runtime.run(samples).outputs, strict=True):
            np.testing.assert_array_equal(old, new)
        if isinstance(census, Unavailable):
            assert census.reason
        else:
            assert census.method
            assert census.operators, "a network has operators"
            assert all(group.op and group.count >= 1 for group in census.operators)


def _is_quantity(quantity: Measurement | Unavailable, unit: str) -> None:
    if isinstance(quantity, Unavailable):
        assert quantity.reason
    else:
        assert quantity.value > 0
        assert quantity.unit == unit
        assert quantity.method
        assert quantity.kind == "measured"
