"""Names of ends in MNN's FlatBuffers, which are built here as its schema says; MNN itself is in tests/runtimes."""

from __future__ import annotations

import contextlib
import uuid

import flatbuffers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.errors import ModelError
from edgerig.models.graph.mnn_file import ends_of, with_identity_of_content

#: Numbers of the schema's operators: an input, and a Relu.
INPUT, RELU = 34, 67


def network(inputs: list[str], outputs: list[str], identity: str | None) -> bytes:
    """A file with an operator for each input, one that computes, and a name for each tensor."""
    builder = flatbuffers.Builder(0)
    names = [*inputs, *outputs]

    def offsets(values: list[int]) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependUOffsetTRelative(value)
        return int(builder.EndVector())

    def operator(kind: int, tensors: list[int]) -> int:
        builder.StartVector(4, len(tensors), 4)
        for tensor in reversed(tensors):
            builder.PrependInt32(tensor)
        vector = builder.EndVector()
        builder.StartObject(6)
        builder.PrependUOffsetTRelativeSlot(4, vector, 0)
        builder.PrependInt32Slot(5, kind, 0)
        return int(builder.EndObject())

    def texts(values: list[str]) -> int:
        return offsets([builder.CreateString(value) for value in values])

    relu = operator(RELU, list(range(len(inputs), len(names))))
    operators = offsets([*(operator(INPUT, [index]) for index in range(len(inputs))), relu])
    given_names, tensors = texts(outputs), texts(names)
    drawn = builder.CreateString(identity) if identity else None
    builder.StartObject(12)
    builder.PrependUOffsetTRelativeSlot(3, operators, 0)
    builder.PrependUOffsetTRelativeSlot(4, given_names, 0)
    builder.PrependUOffsetTRelativeSlot(7, tensors, 0)
    if drawn is not None:
        builder.PrependUOffsetTRelativeSlot(11, drawn, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


names = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4)


@pytest.mark.slow
@settings(deadline=None)
@given(names, names)
def test_ends_are_read_in_the_order_of_the_file(inputs: list[str], outputs: list[str]) -> None:
    assert ends_of(network(inputs, outputs, None), "net.mnn") == (tuple(inputs), tuple(outputs))


@settings(deadline=None)
@given(st.uuids(), st.uuids())
def test_files_that_differ_in_their_identity_alone_become_equal(first: uuid.UUID, second: uuid.UUID) -> None:
    ours, theirs = (network(["x"], ["y"], str(identity)) for identity in (first, second))
    assert with_identity_of_content(ours) == with_identity_of_content(theirs)
    assert with_identity_of_content(with_identity_of_content(ours)) == with_identity_of_content(ours)
    assert ends_of(with_identity_of_content(ours), "net.mnn") == (("x",), ("y",))
    other = network(["x"], ["z"], str(first))
    assert with_identity_of_content(other) != with_identity_of_content(ours)


def test_a_file_without_an_identity_stays_as_it_is() -> None:
    whole = network(["x"], ["y"], None)
    assert with_identity_of_content(whole) == whole
    assert with_identity_of_content(b"\x00" * 7) == b"\x00" * 7


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_file_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"net\.mnn is no network of MNN"):
        ends_of(data, "net.mnn")


def test_a_file_that_is_cut_is_refused_or_read_as_the_whole() -> None:
    whole = network(["left", "right"], ["y"], str(uuid.UUID(int=5)))
    for size in range(len(whole)):
        with contextlib.suppress(ModelError):
            assert ends_of(whole[:size], "net.mnn") == (("left", "right"), ("y",))
