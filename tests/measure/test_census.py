"""The census of what runs, held against what was asked for."""

import pytest

from edgerig.measure.census import (
    Census,
    OperatorGroup,
    Request,
    family,
    grouped,
    verdicts,
    with_scheme,
)


def census(*rows: tuple[str, str, str, int], requested: tuple[Request, ...] = ()) -> Census:
    groups = tuple(OperatorGroup(op=op, placement=at, dtype=dtype, count=count) for op, at, dtype, count in rows)
    return Census(operators=groups, method="told by hand", requested=requested)


def dtype(name: str) -> tuple[Request, ...]:
    return (Request(kind="dtype", name=name),)


def placement(name: str) -> tuple[Request, ...]:
    return (Request(kind="placement", name=name),)


def test_depthwise_convolutions_that_run_in_float_are_counted_among_all_convolutions() -> None:
    mobilenet = census(
        ("Convolution", "CPU", "int8", 35),
        ("GroupConvolution", "CPU", "float32", 17),
        ("FullyConnected", "CPU", "int8", 1),
    )
    (verdict,) = verdicts(with_scheme(mobilenet, "int8"))
    assert (verdict.met, verdict.total, verdict.outcome) == (36, 53, "part")
    assert verdict.text == "int8 was asked for: 17 of 52 convolutions ran in float32."


def test_float16_that_becomes_bfloat16_is_not_met_at_all() -> None:
    (verdict,) = verdicts(census(("Convolution", "CPU", "bfloat16", 52), requested=dtype("float16")))
    assert verdict.outcome == "not"
    assert verdict.text == "float16 was asked for: 52 of 52 convolutions ran in bfloat16."


def test_int8_network_that_stays_float_is_not_met_at_all() -> None:
    stays = census(("aten.convolution", "cpu", "float32", 52), ("quantize_per_tensor", "cpu", "int8", 2))
    (verdict,) = verdicts(with_scheme(stays, "int8"))
    assert (verdict.outcome, verdict.met) == ("not", 0), "operators that only convert do not count as met"


def test_unsigned_bytes_meet_int8_and_the_type_of_other_operators_does_not_matter() -> None:
    net = census(("QLinearConv", "CPU", "uint8", 3), ("Softmax", "CPU", "float32", 1))
    (verdict,) = verdicts(with_scheme(net, "int8"))
    assert (verdict.outcome, verdict.text) == ("met", "")


def test_network_without_weights_is_judged_by_all_of_its_operators() -> None:
    net = census(("ADD", "XNNPACK", "int8", 3), ("SOFTMAX", "XNNPACK", "float32", 1))
    (verdict,) = verdicts(with_scheme(net, "int8"))
    assert verdict.text == "int8 was asked for: 1 of 4 operators ran in float32."


def test_placement_is_judged_by_every_operator() -> None:
    net = census(
        ("CONV_2D", "libdelegate.so", "int8", 2),
        ("SOFTMAX", "XNNPACK", "int8", 1),
        ("ARG_MAX", "LiteRT's own kernels", "int8", 1),
        requested=placement("libdelegate.so"),
    )
    (verdict,) = verdicts(net)
    assert (verdict.met, verdict.total, verdict.outcome) == (2, 4, "part")
    assert verdict.text == (
        "libdelegate.so was asked for: 1 of 4 operators ran on XNNPACK, 1 of 4 operators ran on LiteRT's own kernels."
    )


def test_delegate_that_takes_nothing_is_not_met_though_xnnpack_takes_everything() -> None:
    (verdict,) = verdicts(census(("ADD", "XNNPACK", "float32", 3), requested=placement("libnothing.so")))
    assert verdict.outcome == "not"


def preferences(*names: str) -> tuple[Request, ...]:
    return (*placement(names[0]), *(Request(kind="preference", name=name) for name in names[1:]))


def test_what_a_second_delegate_takes_is_not_missing_at_the_first() -> None:
    net = census(("ADD", "a.so", "float32", 2), ("MUL", "b.so", "float32", 1), requested=preferences("a.so", "b.so"))
    assert [verdict.outcome for verdict in verdicts(net)] == ["met", "met"]


def test_second_delegate_that_takes_nothing_of_what_is_left_is_told() -> None:
    net = census(("ADD", "a.so", "float32", 2), ("MUL", "XNNPACK", "float32", 1), requested=preferences("a.so", "b.so"))
    first, second = verdicts(net)
    assert (first.outcome, first.text) == ("part", "a.so was asked for: 1 of 3 operators ran on XNNPACK.")
    assert (second.outcome, second.text) == ("part", "b.so was named, too, and took no operator.")


def test_second_delegate_has_nothing_to_take_where_the_first_took_all() -> None:
    net = census(("ADD", "a.so", "float32", 2), requested=preferences("a.so", "b.so"))
    assert [(verdict.outcome, verdict.text) for verdict in verdicts(net)] == [("met", ""), ("met", "")]


def test_first_delegate_that_takes_nothing_is_not_met_whatever_the_second_takes() -> None:
    net = census(("ADD", "b.so", "float32", 2), requested=preferences("a.so", "b.so"))
    assert [verdict.outcome for verdict in verdicts(net)] == ["not", "met"]


def test_type_that_the_engine_does_not_tell_is_neither_met_nor_missed() -> None:
    net = census(("Conv", "CUDA", "", 5), ("Conv", "CUDA", "int8", 1))
    (verdict,) = verdicts(with_scheme(net, "int8"))
    assert (verdict.met, verdict.total) == (1, 1)


def test_engine_that_tells_no_type_leaves_the_request_unjudged() -> None:
    (verdict,) = verdicts(with_scheme(census(("Conv", "CUDA", "", 5)), "int8"))
    assert verdict.outcome == "unknown"
    assert verdict.text == "int8 was asked for, and the engine does not tell what ran."


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic"])
def test_schemes_of_stored_weights_are_no_request_for_arithmetic(scheme: str) -> None:
    assert with_scheme(census(("CONV_2D", "XNNPACK", "float32", 1)), scheme).requested == ()


def test_request_of_the_engine_for_a_type_comes_before_that_of_the_file() -> None:
    net = census(("Conv", "NPU", "int16", 1), requested=dtype("int16x8"))
    assert with_scheme(net, "int8").requested == dtype("int16x8")
    assert verdicts(net)[0].outcome == "met"


@pytest.mark.parametrize(
    ("op", "noun"),
    [
        ("TRANSPOSE_CONV", "convolution"), ("ConvInteger", "convolution"), ("NhwcFusedConv", "convolution"),
        ("MatMulNBits", "matrix product"), ("aten.addmm", "matrix product"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "recurrent operator"),
        ("QuantizeLinear", None), ("DequantizeLinear", None), ("convert_element_type", None), ("QLinearSoftmax", None),
        ("QLinearMatMul", "matrix product"), ("Relu", None),
    ],
)  # fmt: skip
def test_family_of_operator(op: str, noun: str | None) -> None:
    assert family(op) == noun


def test_groups_keep_the_order_of_their_first_operator() -> None:
    groups = grouped([("A", "x", "int8"), ("B", "x", "int8"), ("A", "x", "int8"), ("A", "y", "int8")])
    assert [(group.op, group.placement, group.count) for group in groups] == [
        ("A", "x", 2),
        ("B", "x", 1),
        ("A", "y", 1),
    ]
