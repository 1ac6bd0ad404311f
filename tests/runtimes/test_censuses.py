"""What engines tell of the operators that they run: each by what executes it, and in which type."""

import platform
from pathlib import Path

import numpy as np
import pytest

from edgerig.measure.census import Census, family, verdicts, with_scheme
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.c_library import VECTORS
from edgerig.runtimes.litert_census import arithmetic
from edgerig.runtimes.xla_census import census_of
from edgerig.testing.networks.tflite_builder import TfliteBuilder


def told(runtime: str, path: Path, **settings: object) -> dict[str, tuple[str, str, int]]:
    """For each operator of a network of different ones: what runs it, in which type, and how often it is there."""
    with make("runtime", runtime, Runtime, settings) as engine:
        engine.load(path)
        census = engine.census([np.ones((1, *spec.call_shape), spec.dtype) for spec in engine.inputs])
    assert isinstance(census, Census)
    return {group.op: (group.placement, group.dtype, group.count) for group in census.operators}


@pytest.mark.parametrize(
    ("kernels", "placement"), [("xnnpack", "XNNPACK"), ("reference", "LiteRT's reference kernels")]
)
def test_litert_tells_delegate_and_type(float_tflite: Path, int8_tflite: Path, kernels: str, placement: str) -> None:
    assert told("litert", float_tflite, kernels=kernels)["FULLY_CONNECTED"] == (placement, "float32", 1)
    assert told("litert", int8_tflite, kernels=kernels)["FULLY_CONNECTED"] == (placement, "int8", 1)


def test_operator_that_xnnpack_leaves_is_litert_s_own(tmp_path: Path) -> None:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 4), "int8", scale=0.5), net.tensor("y", (1, 4), "int8", scale=0.5)
    z = net.tensor("z", (1, 4), "int8", scale=1 / 256, zero_point=-128)
    net.operator("RELU", [x], [y])
    net.operator("SOFTMAX", [y], [z])
    (tmp_path / "net.tflite").write_bytes(net.build([x], [z]))
    assert told("litert", tmp_path / "net.tflite")["SOFTMAX"] == ("LiteRT's own kernels", "int8", 1)


@pytest.mark.slow
def test_tflite_micro_runs_the_file_s_operators_one_by_one(float_tflite: Path, int8_tflite: Path) -> None:
    assert told("tflm", float_tflite) == {
        "FULLY_CONNECTED": ("TFLite Micro's reference kernels", "float32", 1),
        "SOFTMAX": ("TFLite Micro's reference kernels", "float32", 1),
    }
    assert told("tflm", int8_tflite)["FULLY_CONNECTED"] == ("TFLite Micro's reference kernels", "int8", 1)


@pytest.mark.slow
def test_generated_c_tells_its_kernels(float_tflite: Path, int8_tflite: Path) -> None:
    kernel = "simd-conv" if platform.machine() in VECTORS else "portable-dense"
    assert told("micro", float_tflite)["FULLY_CONNECTED"] == (f"{kernel}-f32", "float32", 1)
    assert told("micro", int8_tflite)["FULLY_CONNECTED"] == (f"{kernel}-s8", "int8", 1)


def test_weights_of_integers_under_real_activations_are_no_integer_arithmetic() -> None:
    dynamic = arithmetic([np.float32, np.int8, np.float32], [np.float32])
    assert dynamic == "float32 with int8 weights"
    assert arithmetic([np.int32, np.int8, np.int8], [np.int8]) == "int8", "TRANSPOSE_CONV has its shape first"
    assert arithmetic([], []) == ""


#: As XLA prints a program; this machine's would hold neither bfloat16 nor a call of oneDNN.
HLO = """
HloModule jit_call, is_scheduled=true
%fused (p.0: f32[1,8]) -> f32[1,4] {
  %p.0 = f32[1,8]{1,0} parameter(0)
  %tanh.1 = f32[1,4]{1,0} tanh(f32[1,4]{1,0} %p.0)
  ROOT %add.3 = bf16[1,4]{1,0} add(bf16[1,4]{1,0} %tanh.1, bf16[1,4]{1,0} %tanh.1)
}
ENTRY %main (x: f32[1,8]) -> (f32[1,4]) {
  %x = f32[1,8]{1,0} parameter(0)
  %convolution.2 = bf16[1,4]{1,0} convolution(bf16[1,8]{1,0} %x, bf16[8,4]{1,0} %x), window={size=1}
  %custom-call.1 = f32[1,4]{1,0} custom-call(f32[1,8]{1,0} %x), custom_call_target="__onednn$matmul"
  %fusion = f32[1,4]{1,0} fusion(f32[1,8]{1,0} %x), kind=kLoop, calls=%fused
  ROOT %tuple.1 = (f32[1,4]{1,0}) tuple(f32[1,4]{1,0} %fusion)
}
"""


def test_program_of_xla_is_read_with_what_it_fused_and_what_it_calls() -> None:
    census = census_of(HLO, "cpu")
    rows = {group.op: (group.placement, group.dtype) for group in census.operators}
    assert rows == {
        "tanh": ("cpu", "float32"),
        "add": ("cpu", "bfloat16"),
        "convolution": ("cpu", "bfloat16"),
        "__onednn$matmul": ("cpu", "float32"),
    }
    (verdict,) = verdicts(with_scheme(census, "int8"))
    assert (verdict.outcome, verdict.total) == ("not", 2)


@pytest.mark.slow
def test_keras_tells_what_xla_compiled(tmp_path: Path) -> None:
    from edgerig.models.keras.engine import import_keras, seeded
    from edgerig.models.keras.files import save_keras

    keras, path = import_keras(), tmp_path / "net.keras"
    with seeded(1):
        image = keras.Input((6, 5, 2), name="image")
        hidden = keras.layers.Flatten()(keras.layers.Conv2D(3, 3, activation="relu")(image))
        save_keras(keras.Model(image, keras.layers.Dense(5)(hidden)), path)
    with make("runtime", "keras", Runtime, {}) as engine:
        engine.load(path)
        census = engine.census([np.ones((1, *spec.call_shape), spec.dtype) for spec in engine.inputs])
    assert isinstance(census, Census)
    weighted = [group for group in census.operators if family(group.op)]
    assert {family(group.op): group.count for group in weighted} == {"convolution": 1, "matrix product": 1}
    assert {(group.placement, group.dtype) for group in weighted} == {("cpu", "float32")}
