"""Quantized TFLite: what the file holds, and what it computes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import edgerig
from edgerig.artifact import Artifact
from edgerig.compilers import flatbuffer, quantize
from edgerig.compilers.c_source import CSource
from edgerig.compilers.calibrated_tflite import calibrate
from edgerig.compilers.quantize import Dynamic, Float16, Int8, Int8Settings, Int16x8, Int16x8Settings
from edgerig.datasets.npz import Npz
from edgerig.errors import CompileError, IncompatibleError, UsageError
from edgerig.micro import Options, compile_model
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.tflite_check import buffers_outside
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.settings import convert_settings
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.several_ends import two_in_three_out_tflite

QUANTIZERS = {cls.name: cls for cls in (Float16, Dynamic, Int8, Int16x8)}
#: Greatest error of a softmax output that the scheme may cause on the small network: some output steps.
TOLERANCE = {"float16": 1e-3, "dynamic": 0.01, "int8": 3 / 256, "int16x8": 1e-3}


@pytest.fixture(scope="module")
def quantized(float_net: Artifact, blobs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    out = tmp_path_factory.mktemp("quantized")
    return {name: cls().compile(float_net, out, blobs) for name, cls in QUANTIZERS.items()}


@pytest.fixture(scope="module")
def inputs(float_net: Artifact, blobs):
    return blobs.split("test").inputs(slice(0, 100), float_net.preprocessing)


@pytest.mark.parametrize("name", QUANTIZERS)
def test_the_artifact_is_in_the_scheme_and_computes_the_same(
    name: str, quantized: dict[str, Artifact], float_net: Artifact, inputs, run_litert
) -> None:
    made = quantized[name]
    assert Path(made.path).name == f"net_{name}.tflite"
    assert made.scheme == name
    assert made.size < 0.7 * float_net.size
    error = np.abs(run_litert(made.path, inputs) - run_litert(float_net.path, inputs)).max()
    assert 0 < error < TOLERANCE[name]


def test_int8_holds_no_float(quantized: dict[str, Artifact]) -> None:
    dtypes = {tensor.dtype for tensor in read_graph(Path(quantized["int8"].path)).tensors}
    assert dtypes == {"int8", "int32"}


def test_int8_outputs_lie_within_steps_of_the_reference_kernels(
    quantized: dict[str, Artifact], inputs, run_litert
) -> None:
    """LiteRT's fast kernels are within a step in each layer, of which the softmax may make some."""
    path = quantized["int8"].path
    fast, reference = (run_litert(path, inputs, reference=which, raw=True).astype(int) for which in (False, True))
    difference = np.abs(fast - reference)
    assert difference.max() <= 3
    assert difference.mean() < 0.25


def test_int16x8_equals_the_reference_kernels(quantized: dict[str, Artifact], inputs, run_litert) -> None:
    path = quantized["int16x8"].path
    np.testing.assert_array_equal(
        run_litert(path, inputs, raw=True), run_litert(path, inputs, reference=True, raw=True)
    )


def test_int16x8_as_c_equals_the_reference_kernels(
    quantized: dict[str, Artifact], inputs, run_litert, tmp_path: Path
) -> None:
    artifact = quantized["int16x8"]
    made = CSource().compile(artifact, tmp_path / "c")
    assert (made.scheme, made.inputs[0].dtype, made.outputs[0].dtype) == ("int16x8", "int16", "int16")
    network = load(compile_model(artifact.read(), "net", Options()), tmp_path / "built")
    quantization = artifact.inputs[0].quantization
    assert quantization is not None
    integers = np.clip(np.round(inputs / np.float32(quantization.scale)), -32768, 32767).astype(np.int16)
    expected = run_litert(artifact.path, inputs, reference=True, raw=True)
    found = np.concatenate([network.run([sample[None]])[0] for sample in integers])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["int8", "int16x8"])
def test_tflite_micro_computes_what_litert_computes(
    name: str, quantized: dict[str, Artifact], inputs, run_litert
) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    interpreter = runtime.Interpreter.from_file(quantized[name].path, arena_size=1 << 20)
    spec = quantized[name].inputs[0]
    assert spec.quantization is not None
    limits = np.iinfo(spec.dtype)
    scale, zero = spec.quantization.scales[0], spec.quantization.zero_points[0]
    found = []
    for sample in inputs:
        numbers = np.clip(np.round(sample[None] / scale) + zero, limits.min, limits.max)
        interpreter.set_input(numbers.astype(spec.dtype), 0)
        interpreter.invoke()
        found.append(interpreter.get_output(0)[0].astype(int))
    reference = run_litert(quantized[name].path, inputs, reference=True, raw=True).astype(int)
    difference = np.abs(np.stack(found) - reference)
    # The dense layers of the two round differently once in thousands of outputs.
    assert difference.max() <= 1
    assert name != "int8" or np.mean(difference > 0) < 0.01


@pytest.mark.parametrize(("input_type", "output_type"), list(itertools.product(["int8", "uint8", "float32"], repeat=2)))
def test_int8_boundary_types_compute_the_same(
    input_type: Any, output_type: Any, float_net: Artifact, quantized, blobs, inputs, run_litert, tmp_path: Path
) -> None:
    settings = Int8Settings(input_type=input_type, output_type=output_type)
    made = Int8(settings).compile(float_net, tmp_path, blobs)
    assert (made.inputs[0].dtype, made.outputs[0].dtype) == (input_type, output_type)
    assert (made.inputs[0].name, made.outputs[0].name) == ("input", "output")
    assert made.scheme == "int8"
    np.testing.assert_array_equal(run_litert(made.path, inputs), run_litert(quantized["int8"].path, inputs))


def test_uint8_is_int8_moved_by_128(float_net: Artifact, quantized, blobs, inputs, run_litert, tmp_path: Path) -> None:
    made = Int8(Int8Settings(input_type="uint8", output_type="uint8")).compile(float_net, tmp_path, blobs)
    plain = quantized["int8"]
    assert made.inputs[0].quantization.scales == plain.inputs[0].quantization.scales
    assert made.inputs[0].quantization.zero_points[0] == plain.inputs[0].quantization.zero_points[0] + 128
    np.testing.assert_array_equal(
        run_litert(made.path, inputs, raw=True).astype(int),
        run_litert(plain.path, inputs, raw=True).astype(int) + 128,
    )


def test_int16x8_with_float_boundary(float_net: Artifact, quantized, blobs, inputs, run_litert, tmp_path: Path) -> None:
    settings = Int16x8Settings(input_type="float32", output_type="float32")
    made = Int16x8(settings).compile(float_net, tmp_path, blobs)
    assert (made.inputs[0].dtype, made.outputs[0].dtype, made.scheme) == ("float32", "float32", "int16x8")
    np.testing.assert_array_equal(run_litert(made.path, inputs), run_litert(quantized["int16x8"].path, inputs))


@pytest.mark.parametrize("types", [("int8", "float32"), ("uint8", "uint8")])
def test_the_signature_follows_the_boundary(types: Any, float_net: Artifact, blobs, inputs, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    made = Int8(Int8Settings(input_type=types[0], output_type=types[1])).compile(float_net, tmp_path, blobs)
    runner = Interpreter(made.path).get_signature_runner("serving_default")
    assert runner.get_input_details()["input"]["dtype"] == np.dtype(types[0])
    result = runner(input=np.zeros((1, 12, 12, 1), types[0]))
    assert result["output"].dtype == np.dtype(types[1])


def test_keras_goes_by_way_of_float_tflite(keras_net: Artifact, quantized, blobs, tmp_path: Path) -> None:
    made = Int8().compile(keras_net, tmp_path, blobs)
    assert Path(made.path).name == "net_int8.tflite"
    assert made.sha256 == quantized["int8"].sha256
    assert made.origins[-1].parent == keras_net.sha256


def test_the_origin_tells_what_was_calibrated_with(quantized: dict[str, Artifact], float_net: Artifact) -> None:
    origin = quantized["int8"].origins[-1]
    assert origin.tool == "int8"
    assert origin.parent == float_net.sha256
    assert origin.options["calibration_samples"] == 200
    assert origin.options["calibration"]["dataset"] == "blobs"
    assert origin.versions["litert-quantizer"].startswith("0.11")
    assert "calibration" not in quantized["dynamic"].origins[-1].options


def test_all_samples_count_in_the_calibration(float_net: Artifact, blobs) -> None:
    """The range of the input is that of all samples, not a moving average."""
    model = flatbuffer.unpack(float_net.read())
    (name,) = flatbuffer.ensure_signature(model)
    samples = np.zeros((5, 1, 12, 12, 1), np.float32)
    samples[0, 0, 0, 0, 0], samples[3, 0, 5, 5, 0] = 9.0, -4.0
    ranges = calibrate(flatbuffer.pack(model), Int8()._recipe(), {name: samples})
    assert (float(ranges["input"]["min"].min()), float(ranges["input"]["max"].max())) == (-4.0, 9.0)


def test_ranges_are_those_of_the_library_with_each_rule_looked_up_once(
    float_net: Artifact, blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    model = flatbuffer.unpack(float_net.read())
    (name,) = flatbuffer.ensure_signature(model)
    data, recipe = flatbuffer.pack(model), Int8()._recipe()
    samples = blobs.split("train").inputs(slice(0, 7), float_net.preprocessing)[:, None]
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    expected = calibrator.Calibrator(data, qsv_update_func=qsv_utils.min_max_update)
    expected.calibrate({flatbuffer.SIGNATURE: [{name: sample} for sample in samples]}, manager)

    looked_up: list[tuple[str, str]] = []
    look_up = recipe_manager.RecipeManager.get_quantization_configs

    def noted(manager: Any, operator: str, scope: str) -> Any:
        looked_up.append((operator, scope))
        return look_up(manager, operator, scope)

    monkeypatch.setattr(recipe_manager.RecipeManager, "get_quantization_configs", noted)
    ranges = calibrate(data, recipe, {name: samples})
    assert len(looked_up) == len(set(looked_up)) > 3
    assert ranges.keys() == expected.get_model_qsvs().keys()
    for tensor, values in expected.get_model_qsvs().items():
        np.testing.assert_equal(ranges[tensor], values)


@pytest.mark.slow
def test_large_networks_keep_their_buffers_inside(blobs, run_litert, tmp_path: Path) -> None:
    """From 256 KiB on the quantizer moves buffers behind the FlatBuffer, where TFLite Micro does not look."""
    keras = import_keras()
    with seeded(1):
        layers = keras.layers
        model = keras.Sequential(
            [keras.Input((12, 12, 1)), layers.Flatten(), layers.Dense(2200, activation="relu"), layers.Dense(4)]
        )
    model.save(tmp_path / "wide.keras")
    made = Int8().compile(open_artifact(tmp_path / "wide.keras"), tmp_path, blobs)
    assert made.size > 256 * 1024
    assert buffers_outside(made.read()) == []
    runtime = pytest.importorskip("tflite_micro").runtime
    interpreter = runtime.Interpreter.from_file(made.path, arena_size=1 << 20)
    numbers = np.arange(144, dtype=np.int8).reshape(1, 12, 12, 1)
    interpreter.set_input(numbers, 0)
    interpreter.invoke()
    spec = made.inputs[0].quantization
    real = (numbers[0].astype(np.float32) - spec.zero_points[0]) * np.float32(spec.scales[0])
    expected = run_litert(made.path, real[None], reference=True, raw=True)
    np.testing.assert_array_equal(interpreter.get_output(0)[0], expected[0])


def test_files_without_signature_and_with_equal_names_are_quantized(
    float_net: Artifact, quantized, blobs, inputs, run_litert, tmp_path: Path
) -> None:
    model = flatbuffer.unpack(float_net.read())
    model.signatureDefs = None
    for tensor in model.subgraphs[0].tensors[1:-1]:
        tensor.name = b"same"
    path = tmp_path / "old.tflite"
    path.write_bytes(flatbuffer.pack(model))
    made = Int8().compile(open_artifact(path, preprocessing=float_net.preprocessing), tmp_path, blobs)
    np.testing.assert_array_equal(run_litert(made.path, inputs), run_litert(quantized["int8"].path, inputs))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_calibration_sample_that_is_no_number_is_named(
    value: float, float_net: Artifact, blobs_with, tmp_path: Path
) -> None:
    dataset = blobs_with(spoil=value)
    with pytest.raises(
        CompileError, match=r"Calibration sample \d+ of the training split of 'blobs' holds -?(nan|inf)"
    ):
        Int8().compile(float_net, tmp_path / "out", dataset)
    assert not (tmp_path / "out").exists()


def test_one_bad_sample_is_named_by_its_index(float_net: Artifact, blobs_with, tmp_path: Path) -> None:
    class OneBad(blobs_with):
        def _split(self, name: str):
            samples = super()._split(name)
            samples.pictures[17, 0, 0, 0] = math.nan
            return samples

    settings = Int8Settings(calibration_samples=240)
    with pytest.raises(CompileError, match="Calibration sample 17 of"):
        Int8(settings).compile(float_net, tmp_path, OneBad())


def test_samples_of_another_shape_are_refused(float_net: Artifact, blobs_with, tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match=r"\[8, 8, 1\].*\[12, 12, 1\]"):
        Int8().compile(float_net, tmp_path, blobs_with(shape=(8, 8, 1)))


def test_calibration_without_a_dataset_is_refused(float_net: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs samples") as caught:
        Int8().compile(float_net, tmp_path)
    assert "--dataset" in (caught.value.hint or "")


@pytest.mark.parametrize("name", QUANTIZERS)
@pytest.mark.parametrize("scheme", ["float16", "dynamic", "int8", "int16x8"])
def test_quantized_networks_are_refused(name: str, scheme: str, quantized, blobs, tmp_path: Path) -> None:
    assert f"is {scheme} already" in (QUANTIZERS[name]().refuses("tflite", scheme) or "")
    with pytest.raises(IncompatibleError, match=f"{scheme} already"):
        QUANTIZERS[name]().compile(quantized[scheme], tmp_path, blobs)


def test_networks_of_several_inputs_are_refused(blobs, tmp_path: Path) -> None:
    keras = import_keras()
    left, right = keras.Input((12, 12, 1), name="left"), keras.Input((12, 12, 1), name="right")
    keras.Model([left, right], keras.layers.Add()([left, right])).save(tmp_path / "two.keras")
    with pytest.raises(IncompatibleError, match="2 inputs"):
        Int8().compile(open_artifact(tmp_path / "two.keras"), tmp_path, blobs)


def test_unknown_boundary_types_are_refused() -> None:
    from edgerig.errors import SpecError

    with pytest.raises(SpecError):
        convert_settings(Int8.Settings, {"input_type": "int4"}, "compiler 'int8'")


def test_dead_channels_do_no_harm(blobs, run_litert, inputs, tmp_path: Path) -> None:
    """A channel of zeros has no range to take a scale from."""
    keras = import_keras()
    with seeded(2):
        model = keras.Sequential(
            [
                keras.Input((12, 12, 1)),
                keras.layers.Conv2D(4, 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(3),
            ]
        )
    kernel, bias = model.layers[0].get_weights()
    kernel[..., 1] = 0
    model.layers[0].set_weights([kernel, bias])
    model.save(tmp_path / "dead.keras")
    source = open_artifact(tmp_path / "dead.keras", preprocessing=blobs.preprocessing)
    made = Int8().compile(source, tmp_path, blobs)
    found = run_litert(made.path, inputs)
    expected = np.asarray(model(inputs))
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", QUANTIZERS)
def test_bilinear_upsampling_computes_the_same(name: str, blobs, inputs, run_litert, tmp_path: Path) -> None:
    """It is made of products with constant matrices, which LiteRT takes with one scale only."""
    keras = import_keras()
    picture = keras.Input((12, 12, 1))
    model = keras.Model(picture, keras.layers.UpSampling2D(interpolation="bilinear")(picture))
    model.save(tmp_path / "up.keras")
    source = open_artifact(tmp_path / "up.keras", preprocessing=blobs.preprocessing)
    made = QUANTIZERS[name]().compile(source, tmp_path, blobs)
    assert "BATCH_MATMUL" in {operator.op for operator in read_graph(Path(made.path)).operators}
    expected = np.asarray(model(inputs))
    for reference in (False, True):
        found = run_litert(made.path, inputs, reference=reference)
        assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_what_the_engine_says_becomes_one_message(float_net: Artifact, blobs, tmp_path: Path, monkeypatch) -> None:
    def fail(*args: Any) -> bytes:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(quantize, "quantize", fail)
    with pytest.raises(CompileError, match=r"Compiler 'int8' failed on net: RuntimeError: first line\.\n"):
        Int8().compile(float_net, tmp_path / "out", blobs)
    assert not (tmp_path / "out").exists()


def test_the_artifact_is_carried_over(quantized: dict[str, Artifact], float_net: Artifact) -> None:
    for made in quantized.values():
        assert (made.classes, made.preprocessing) == (float_net.classes, float_net.preprocessing)
        assert msgspec.json.decode(Path(made.path + ".json").read_bytes(), type=Artifact).sha256 == made.sha256


@pytest.mark.parametrize(("cls", "steps"), [(Int8, 255), (Int16x8, 65534)])
def test_each_of_several_inputs_is_calibrated_on_its_own_values(
    cls: type[Any], steps: int, left_and_right: Npz, tmp_path: Path
) -> None:
    network = open_artifact(two_in_three_out_tflite(tmp_path / "net.tflite"))
    made = cls().compile(network, tmp_path / "out", left_and_right)
    assert [spec.name for spec in made.inputs] == ["left", "right"]
    assert [spec.name for spec in made.outputs] == ["first", "second", "third"]
    inputs = left_and_right.split("train").named_inputs(slice(None), network.preprocessing)
    for spec in made.inputs:
        values = inputs[spec.name]
        assert spec.quantization is not None
        reach = np.ptp(values) if steps == 255 else 2 * np.abs(values).max()
        assert spec.quantization.scale == pytest.approx(reach / steps, rel=0.01)


def test_a_dataset_without_one_of_the_inputs_is_refused(blobs, tmp_path: Path) -> None:
    network = open_artifact(two_in_three_out_tflite(tmp_path / "net.tflite"))
    with pytest.raises(IncompatibleError, match=r"has 2 inputs \(left, right\), and dataset .* gives one"):
        Int8().compile(network, tmp_path / "out", blobs)


@pytest.mark.slow
def test_an_input_of_indices_stays_integer_beside_one_that_is_quantized(tmp_path: Path) -> None:
    keras = import_keras()
    with seeded(1):
        ids, x = keras.Input((5,), name="ids", dtype="int32"), keras.Input((6,), name="x")
        words = keras.layers.Flatten()(keras.layers.Embedding(10, 3)(ids))
        joined = keras.layers.Concatenate()([words, x])
        keras.Model([ids, x], keras.layers.Dense(3, activation="softmax")(joined)).save(tmp_path / "net.keras")
    rng = np.random.default_rng(0)
    arrays = {
        "x_x": rng.normal(size=(40, 6)).astype(np.float32),
        "x_ids": rng.integers(0, 10, (40, 5)),
        "y": np.arange(40) % 3,
    }
    np.savez(tmp_path / "d.npz", **{f"{name}_{part}": a for name, a in arrays.items() for part in ("train", "test")})
    rig = {
        "name": "t",
        "model": {"file": str(tmp_path / "net.keras")},
        "dataset": {"use": "npz", "file": str(tmp_path / "d.npz")},
        "matrix": [{"compilers": ["float32", "int8"], "runtimes": ["litert"]}],
        "measure": {"samples": 40, "rounds": 1, "seconds": 0, "profile": False},
    }
    plain, quantized = edgerig.run(rig, out=tmp_path / "out").cells
    for cell in (plain, quantized):
        assert cell.artifact.inputs[0].dtype == "int32"
        assert cell.agreement.max_abs_error < 0.02  # type: ignore[union-attr]
    assert [spec.dtype for spec in quantized.artifact.inputs] == ["int32", "int8"]
