"""Files that lie: a clear error, no traceback, nothing written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.errors import CompileError, EdgerigError, ModelError, UsageError
from edgerig.micro import Options, compile_model
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.random_operators import OPERATORS, random_operator
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0", b"\0\0\0\x7f", b"\x10\0\0\0")


def compiled(data: bytes) -> None:
    compile_model(data, "net", Options())


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    op=st.sampled_from(sorted(OPERATORS)),
    dtype=st.sampled_from(["int8", "float32"]),
    seed=st.integers(0, 20),
    changes=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(WORDS) | st.binary(min_size=1, max_size=1)), max_size=4
    ),
    keep=st.floats(0, 1) | st.just(1.0),
)
def test_mangled_files_give_a_clear_error_or_code(op: str, dtype: str, seed: int, changes: list, keep: float) -> None:
    data = bytearray(random_operator(op, seed, dtype))
    for place, content in changes:
        start = int(place * (len(data) - 1))
        data[start : start + len(content)] = content
    with contextlib.suppress(EdgerigError):
        compiled(bytes(data[: int(keep * len(data))]))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_told(share: float) -> None:
    data = random_operator("CONV_2D", 1, "int8")
    with pytest.raises(ModelError, match=r"empty|corrupt|not a TFLite"):
        compiled(data[: int(share * len(data))])


def relu_chain(inputs: Callable[[int, int, int], tuple[int, int]]) -> bytes:
    """Two RELUs over x, a, b; ``inputs`` says what they read."""
    net = TfliteBuilder()
    x, a, b = (net.tensor(name, (1, 4), "float32") for name in "xab")
    first, second = inputs(x, a, b)
    net.operator("RELU", [first], [a])
    net.operator("RELU", [second], [b])
    return net.build([x], [b])


def test_cyclic_and_unconnected_graphs_are_told() -> None:
    compiled(relu_chain(lambda x, a, b: (x, a)))
    for wrong in (relu_chain(lambda x, a, b: (b, a)), relu_chain(lambda x, a, b: (a, a))):
        with pytest.raises(ModelError, match=r"operator 0 .* before anything makes it; the graph is cyclic"):
            compiled(wrong)
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 4), "float32"), net.tensor("y", (1, 4), "float32")
    with pytest.raises(ModelError, match=r"an output of the network reads tensor 1 \(y\) before"):
        compiled(net.build([x], [y]))
    net.operator("RELU", [x], [y])
    net.operator("RELU6", [x], [y])
    with pytest.raises(ModelError, match="already there"):
        compiled(net.build([x], [y]))


def dense(
    scales: list[float],
    weights_shape: tuple[int, int] = (3, 4),
    out: tuple[int, ...] = (1, 3),
    target: float = 0.5,
    dtype: str = "int8",
    bias: int = 3,
    unit: float = 0.01,
) -> bytes:
    net = TfliteBuilder()
    x = net.tensor("x", (1, 4), dtype, scale=0.1)
    data = np.arange(np.prod(weights_shape)) - 5
    w = net.tensor("w", weights_shape, "int8", data.reshape(weights_shape), scale=scales)
    b = net.tensor("b", (bias,), "int32", np.zeros(bias), scale=unit)
    y = net.tensor("y", out, dtype, scale=target)
    net.operator("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions")
    return net.build([x], [y])


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (dense([0.1, 0.2]), ModelError, "2 scales for 3 channels"),
        (dense([0.1, 0.2, -0.1]), ModelError, "not above 0"),
        (dense([0.1, 0.2, float("nan")]), ModelError, "scales and zero points that do not belong together"),
        (dense([0.1], weights_shape=(3, 5)), ModelError, r"multiplies \[1, 4\] by \[3, 5\]"),
        (dense([0.1], out=(1, 9)), ModelError, r"into \[1, 9\]"),
        (dense([0.1], bias=2), CompileError, r"its bias is int32 \[2\]; it must be a constant int32 \[3\]"),
        (
            dense([0.1], dtype="int16"),
            CompileError,
            r"its bias is int32 \[3\]; it must be a constant int64 \[3\]",
        ),
        (dense([0.5], target=1e-12, unit=0.05), CompileError, "a scale of 1 or more, and some would overflow"),
    ],
)
def test_contradictions_are_told(data: bytes, error: type[EdgerigError], text: str) -> None:
    with pytest.raises(error, match=text):
        compiled(data)


def test_a_scale_of_one_or_more_is_exact(tmp_path: Path) -> None:
    """Requantization that shifts left: sums times 0.1 * 40 / 0.05."""
    data = dense([40.0, 3.0, 0.7], target=0.05)
    network, oracle = load(compile_model(data, "net", Options()), tmp_path), Oracle(data)
    rng = np.random.default_rng(0)
    for _ in range(50):
        sample = rng.integers(-128, 128, (1, 4)).astype(np.int8)
        assert (network.run([sample])[0] == oracle.run([sample])[0]).all()


def test_missing_operators_are_named_with_their_positions_all_at_once() -> None:
    net = TfliteBuilder()
    x, a, b, y = (net.tensor(name, (1, 4), "float32") for name in ("x", "a", "b", "y"))
    net.operator("COS", [x], [a])
    net.operator("RELU", [a], [b])
    net.operator("SIN", [b], [y])
    with pytest.raises(CompileError) as caught:
        compiled(net.build([x], [y]))
    assert "operator 0 (COS, a) is not supported; operator 2 (SIN, y) is not supported" in caught.value.message
    assert "CONV_2D" in (caught.value.hint or "")


def test_missing_types_are_named_with_what_is_supported() -> None:
    net = TfliteBuilder()
    x, y = (net.tensor(name, (1, 4), "int16", scale=0.1) for name in "xy")
    net.operator("SOFTMAX", [x], [y], "SoftmaxOptions", beta=1.0)
    with pytest.raises(CompileError, match=r"no kernel for operator 0 \(SOFTMAX, y\) of int16 to int16") as caught:
        compiled(net.build([x], [y]))
    assert "SOFTMAX: int8 with an output scale of 1/256" in (caught.value.hint or "")


def test_empty_and_huge_tensors_are_told() -> None:
    for size, text in ((0, "is empty"), (1 << 30, "is too big")):
        net = TfliteBuilder()
        x, y = net.tensor("x", (1, size), "float32"), net.tensor("y", (1, size), "float32")
        net.operator("RELU", [x], [y])
        with pytest.raises(CompileError, match=text):
            compiled(net.build([x], [y]))


def test_a_batch_is_refused() -> None:
    net = TfliteBuilder()
    x, y = net.tensor("x", (2, 4, 4, 1), "float32"), net.tensor("y", (2, 2, 2, 1), "float32")
    net.operator("MAX_POOL_2D", [x], [y], "Pool2DOptions", filterHeight=2, filterWidth=2, strideH=2, strideW=2)
    with pytest.raises(CompileError, match="its batch is 2; only single samples"):
        compiled(net.build([x], [y]))


def test_weights_that_are_no_numbers_are_told() -> None:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 2), "float32"), net.tensor("y", (1, 1), "float32")
    w = net.tensor("w", (1, 2), "float32", np.array([[1, np.nan]]))
    net.operator("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
    with pytest.raises(CompileError, match="not a finite number"):
        compiled(net.build([x], [y]))


@pytest.mark.parametrize("name", ["", "1net", "a-b", "ä", "x" * 61])
def test_names_that_c_does_not_have_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="prefix of C names"):
        compile_model(random_operator("LOGISTIC", 0, "int8"), name, Options())


def test_nothing_is_written_where_something_is_wrong(tmp_path: Path) -> None:
    from edgerig.compilers.c_source import CSource
    from edgerig.models.files import open_artifact

    (tmp_path / "net.tflite").write_bytes(dense([0.5], target=1e-12, unit=0.05))
    with pytest.raises(CompileError):
        CSource().compile(open_artifact(tmp_path / "net.tflite"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["net.tflite"]


def with_buffer_at(offset: int, size: int) -> bytes:
    """A convolution whose weights are said to lie at that place of the file."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(random_operator("CONV_2D", 1, "int8"), 0))
    model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, offset, size
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize("offset", [1 << 20, (1 << 63) + 5])
def test_buffers_beyond_the_file_are_told(offset: int) -> None:
    with pytest.raises(ModelError, match="lies beyond its end"):
        compiled(with_buffer_at(offset, 64))


def test_buffers_of_another_size_than_the_tensor_are_told() -> None:
    with pytest.raises(ModelError, match="bytes and the file holds"):
        compiled(with_buffer_at(16, 3))


def scaled_binary(op: str, out: float) -> bytes:
    net = TfliteBuilder()
    a, b = net.tensor("a", (1, 4), "int8", scale=0.5), net.tensor("b", (1, 4), "int8", scale=0.5)
    y = net.tensor("y", (1, 4), "int8", scale=out)
    net.operator(op, [a, b], [y], f"{op.title()}Options")
    return net.build([a, b], [y])


@pytest.mark.parametrize(("op", "out"), [("MUL", 1e-7), ("ADD", 1e-9)])
def test_scales_at_which_integers_overflow_are_refused(op: str, out: float) -> None:
    compiled(scaled_binary(op, 0.5))
    with pytest.raises(CompileError, match="overflow 32 bits"):
        compiled(scaled_binary(op, out))


def test_a_bias_in_other_units_than_its_sums_is_refused() -> None:
    compiled(dense([0.1], target=0.5))
    with pytest.raises(CompileError, match=r"the scale of its bias is 0\.01 where input and weights make 1"):
        compiled(dense([10.0], target=0.5))


@pytest.mark.parametrize("op", ["MAXIMUM", "MINIMUM"])
def test_a_choice_between_values_of_two_scales_is_refused(op: str) -> None:
    """LiteRT compares the stored integers, which would then mean nothing."""
    net = TfliteBuilder()
    a, b, y = (net.tensor(name, (1, 4), "int8", scale=scale) for name, scale in (("a", 0.1), ("b", 0.2), ("y", 0.1)))
    net.operator(op, [a, b], [y], "MaximumMinimumOptions")
    with pytest.raises(CompileError, match=rf"\({op}, y\) cannot be compiled: a and b have different scales"):
        compiled(net.build([a, b], [y]))


@pytest.mark.parametrize("op", ["SOFTMAX", "LOG_SOFTMAX"])
def test_scales_of_which_nothing_is_left_are_refused(op: str) -> None:
    net = TfliteBuilder()
    x = net.tensor("x", (1, 4), "int8", scale=1e-20)
    y = net.tensor(
        "y", (1, 4), "int8", scale=1 / 256 if op == "SOFTMAX" else 1 / 16, zero_point=-128 if op == "SOFTMAX" else 127
    )
    net.operator(op, [x], [y])
    with pytest.raises(CompileError, match=r"The scale of the input of .* is too small"):
        compiled(net.build([x], [y]))


def test_a_third_input_of_an_operator_on_two_is_told() -> None:
    net = TfliteBuilder()
    a, b, c, y = (net.tensor(name, (1, 4), "int8", scale=0.5) for name in "abcy")
    net.operator("ADD", [a, b, c], [y], "AddOptions")
    with pytest.raises(ModelError, match="has 3 inputs"):
        compiled(net.build([a, b, c], [y]))
