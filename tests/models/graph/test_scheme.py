"""Schemes, by what the tensors are."""

from __future__ import annotations

import pytest

from edgerig.artifact import Quantization
from edgerig.models.graph import Graph, Operator, Tensor, scheme_of


def graph_of(
    op: str,
    dtypes: list[str],
    constants: set[int],
    before: tuple[str, int, int] | None = None,
    scale: float | None = None,
) -> Graph:
    """One operator on tensors 0 (activation) and 1 (weight) to 2; ``before``: a conversion, from and to a tensor."""
    scheme = None if scale is None else Quantization((scale,), (0,))
    tensors = tuple(
        Tensor(index=i, name=f"t{i}", shape=(4, 4), dtype=dtype, constant=i in constants, quantization=scheme)
        for i, dtype in enumerate(dtypes)
    )
    operators = [Operator(index=1, op=op, name="o", inputs=(0, 1), outputs=(2,))]
    if before:
        operators.insert(0, Operator(index=0, op=before[0], name="b", inputs=(before[1],), outputs=(before[2],)))
    return Graph(name="g", format="tflite", tensors=tensors, operators=tuple(operators), inputs=(0,), outputs=(2,))


@pytest.mark.parametrize(
    ("dtypes", "scheme"),
    [
        (["float32", "float32", "float32"], "float32"),
        (["float32", "int8", "float32"], "dynamic"),
        (["float32", "int4", "float32"], "dynamic"),
        (["int8", "int8", "int8"], "int8"),
        (["uint8", "uint8", "uint8"], "int8"),
        (["int8", "int4", "int8"], "int8"),
        (["int16", "int8", "int16"], "int16x8"),
        (["float16", "float16", "float16"], "float16"),
        (["bfloat16", "bfloat16", "bfloat16"], "bfloat16"),
        (["float64", "float64", "float64"], "float64"),
        (["float32", "float8_e4m3fn", "float32"], "dynamic"),
    ],
)
@pytest.mark.parametrize("op", ["FULLY_CONNECTED", "CONV_2D", "Gemm", "Conv", "LSTM", "GRU"])
def test_by_activation_and_weight(op: str, dtypes: list[str], scheme: str) -> None:
    assert scheme_of(graph_of(op, dtypes, {1})) == scheme


def test_weights_behind_a_dequantize_are_seen() -> None:
    stored = graph_of("CONV_2D", ["float32", "float32", "float32", "float16"], {3}, ("DEQUANTIZE", 3, 1))
    assert scheme_of(stored) == "float16"
    packed = graph_of("CONV_2D", ["float32", "float32", "float32", "int8"], {3}, ("DEQUANTIZE", 3, 1))
    assert scheme_of(packed) == "dynamic"


def test_one_hybrid_operator_makes_a_network_dynamic() -> None:
    one = graph_of("CONV_2D", ["float32", "float32", "float32", "int8"], {1, 3})
    second = Operator(index=2, op="FULLY_CONNECTED", name="f", inputs=(2, 3), outputs=(0,))
    both = Graph(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "operators": (*one.operators, second)})
    assert scheme_of(both) == "dynamic"


def test_without_weights_the_activations_decide() -> None:
    assert scheme_of(graph_of("ADD", ["int8", "int8", "int8"], set(), scale=0.1)) == "int8"
    for real in ("float32", "float64", "float16", "bfloat16"):
        assert scheme_of(graph_of("ADD", [real, real, real], set())) == real


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16"])
def test_integers_without_a_scale_are_no_quantized_reals(dtype: str) -> None:
    assert scheme_of(graph_of("Sub", [dtype, dtype, dtype], set())) == "float32"
    # Pixels that are cast to real numbers.
    assert scheme_of(graph_of("Add", ["float32", "float32", "float32", dtype], set(), ("Cast", 3, 0))) == "float32"
    assert scheme_of(graph_of("QLinearAdd", [dtype, dtype, dtype], set())) != "float32"


def test_weights_of_four_bits_in_blocks_are_no_float_network() -> None:
    assert scheme_of(graph_of("MatMulNBits", ["float32", "uint8", "float32"], {1})) == "dynamic"


def test_a_circle_of_conversions_ends() -> None:
    circle = graph_of("CONV_2D", ["float32", "float32", "float32"], set(), ("DEQUANTIZE", 1, 1))
    assert scheme_of(circle) == "float32"
