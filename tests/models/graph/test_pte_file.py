"""What is read of ExecuTorch's programs, built here as its schema says; ExecuTorch itself is in tests/runtimes."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence

import flatbuffers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.errors import ModelError
from edgerig.models.graph.pte_file import KERNELS, Operator, read_pte

#: Numbers of the schemas: types of tensors, values, instructions, and of XNNPACK's operators and values.
FLOAT, INT64 = 6, 4
TENSOR, STRING = 5, 6
KERNEL, DELEGATE = 1, 2
FULLY_CONNECTED, CONVERT = 2, 18
FP32, QINT8 = 1, 3


class Builder(flatbuffers.Builder):
    """Tables and vectors in one call each."""

    def table_of(self, **fields: tuple[str, int]) -> int:
        """A table of fields ``f3=("Int32", 7)``, or ``("Offset", position)``."""
        numbers = {int(name[1:]): value for name, value in fields.items()}
        self.StartObject(max(numbers, default=0) + 1)
        for number, (kind, value) in numbers.items():
            if kind == "Offset":
                self.PrependUOffsetTRelativeSlot(number, value, 0)
            else:
                getattr(self, f"Prepend{kind}Slot")(number, value, 0)
        return int(self.EndObject())

    def offsets(self, values: Sequence[int]) -> int:
        return self.vector("UOffsetTRelative", 4, values)

    def vector(self, kind: str, size: int, values: Sequence[int]) -> int:
        self.StartVector(size, len(values), size)
        for value in reversed(values):
            getattr(self, f"Prepend{kind}")(value)
        return int(self.EndVector())


def xnnpack_data(kinds: Sequence[int], dtype: int) -> bytes:
    """A graph of XNNPACK's with operators of these numbers that all take its one value, which is quantized or not."""
    builder = Builder(0)
    tensor = builder.table_of(f0=("Int16", dtype))
    value = builder.table_of(f0=("Offset", tensor)) if dtype != FP32 else tensor
    values = builder.offsets([builder.table_of(f0=("Uint8", 2 if dtype != FP32 else 1), f1=("Offset", value))])
    nodes = []
    for kind in kinds:
        operator = builder.table_of(f4=("Uint32", 1))
        nodes.append(builder.table_of(f0=("Uint8", kind), f1=("Offset", operator)))
    builder.Finish(builder.table_of(f1=("Offset", builder.offsets(nodes)), f2=("Offset", values)))
    return bytes(builder.Output())


def program(
    *, names: str = '{"inputs":["x"],"outputs":["y"]}', delegate: str = "XnnpackBackend", method: str = "forward",
    types: Sequence[int] = (FLOAT, FLOAT), blob: bytes = b"",
) -> bytes:  # fmt: skip
    """A program of one input and output that calls ``aten::add.out`` and a delegate."""
    builder = Builder(0)

    def tensor(scalar: int, sizes: Sequence[int]) -> int:
        orders = builder.vector("Uint8", 1, list(range(len(sizes))))
        table = builder.table_of(
            f0=("Int8", scalar), f2=("Offset", builder.vector("Int32", 4, sizes)), f3=("Offset", orders)
        )
        return builder.table_of(f0=("Uint8", TENSOR), f1=("Offset", table))

    def plan(name: str, values: Sequence[int], ins: Sequence[int], outs: Sequence[int], **more: tuple[str, int]) -> int:
        text = builder.CreateString(name)
        return builder.table_of(
            f0=("Offset", text), f2=("Offset", builder.offsets(values)),
            f3=("Offset", builder.vector("Int32", 4, ins)), f4=("Offset", builder.vector("Int32", 4, outs)), **more,
        )  # fmt: skip

    calls = []
    for kind in (KERNEL, DELEGATE):
        arguments = builder.vector("Int32", 4, [0, 1])
        call = builder.table_of(f1=("Offset", arguments))
        calls.append(builder.table_of(f0=("Uint8", kind), f1=("Offset", call)))
    chain = builder.table_of(f2=("Offset", builder.offsets(calls)))
    add, out = builder.CreateString("aten::add"), builder.CreateString("out")
    operators = builder.offsets([builder.table_of(f0=("Offset", add), f1=("Offset", out))])
    identity = builder.CreateString(delegate)
    processed = builder.table_of(f0=("Int8", 0), f1=("Uint32", 0))
    delegates = builder.offsets([builder.table_of(f0=("Offset", identity), f1=("Offset", processed))])
    sizes = builder.vector("Int64", 8, [0, 4000])
    values = [tensor(types[0], [1, 3, 8, 9]), tensor(types[1], [1, 5])]
    plans = [
        plan(
            method, values, [0], [1], f5=("Offset", builder.offsets([chain])), f6=("Offset", operators),
            f7=("Offset", delegates), f8=("Offset", sizes),
        )
    ]  # fmt: skip
    if names:
        text = builder.table_of(f0=("Offset", builder.CreateString(names)))
        plans.append(plan("edgerig", [builder.table_of(f0=("Uint8", STRING), f1=("Offset", text))], [], [0]))
    data = builder.table_of(f0=("Offset", builder.CreateByteVector(blob)))
    builder.Finish(
        builder.table_of(f1=("Offset", builder.offsets(plans)), f3=("Offset", builder.offsets([data]))), b"ET12"
    )
    return bytes(builder.Output())


WHOLE = program(blob=xnnpack_data([FULLY_CONNECTED, CONVERT], QINT8))


def test_ends_have_their_names_types_and_shapes_and_operators_what_runs_them() -> None:
    contents = read_pte(WHOLE, "net.pte")
    assert [(spec.name, spec.shape, spec.dtype) for spec in (*contents.inputs, *contents.outputs)] == [
        ("x", (1, 3, 8, 9), "float32"),
        ("y", (1, 5), "float32"),
    ]
    assert contents.inputs[0].layout == "nchw"
    assert contents.operators == (
        Operator("add", KERNELS, "float32"),
        Operator("FullyConnected", "XnnpackBackend", "int8"),
        Operator("Convert", "XnnpackBackend", ""),
    )
    assert (contents.kernels, contents.delegates, contents.arena) == (("aten::add.out",), ("XnnpackBackend",), 4000)
    assert contents.specification().scheme == "int8"


def test_a_program_of_others_has_numbered_ends_and_its_own_method() -> None:
    contents = read_pte(program(names="", method="encode", blob=xnnpack_data([FULLY_CONNECTED], FP32)), "net.pte")
    assert contents.method == "encode"
    assert [spec.name for spec in (*contents.inputs, *contents.outputs)] == ["input_0", "output_0"]
    assert contents.operators[1] == Operator("FullyConnected", "XnnpackBackend", "float32")
    assert contents.specification().scheme == "float32"


def test_of_another_delegate_only_its_name_is_told() -> None:
    contents = read_pte(program(delegate="CoolNpuBackend"), "net.pte")
    assert contents.operators[1] == Operator("all that it was handed", "CoolNpuBackend", "")


def test_data_behind_a_header_are_read_too() -> None:
    graph = xnnpack_data([FULLY_CONNECTED], QINT8)
    header = bytes(4) + b"XH00" + struct.pack("<HIIIQ", 30, 32, len(graph), 0, 0) + bytes(2)
    contents = read_pte(program(blob=header + graph), "net.pte")
    assert contents.operators[1] == Operator("FullyConnected", "XnnpackBackend", "int8")


def test_a_type_that_numpy_lacks_is_refused_by_its_end() -> None:
    with pytest.raises(ModelError, match="output 0 is a tensor of a type that NumPy lacks"):
        read_pte(program(types=(INT64, 15)), "net.pte")


@pytest.mark.parametrize("data", [b"", b"\0" * 40, b"\x10\0\0\0ET12", b"PK\3\4" + bytes(60)])
def test_what_is_no_program_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"net\.pte"):
        read_pte(data, "net.pte")


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_program_is_read_or_refused(data: st.DataObject) -> None:
    changed = bytearray(WHOLE[: data.draw(st.integers(8, len(WHOLE)))])
    for _ in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ModelError):
        read_pte(bytes(changed), "net.pte")
