import inspect

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig import errors
from edgerig.errors import (
    AnswerError,
    EdgerigError,
    Interrupted,
    MissingExtraError,
    Overloaded,
    RequestError,
    TargetError,
    UnknownNameError,
    WireError,
)
from edgerig.install import install_command
from edgerig.wire import messages
from edgerig.wire.messages import Failure, Hello, error_of, failure_of, pack, pack_tensors, unpack, unpack_tensors

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, EdgerigError)]


#: Raised on the host alone: what a device answers, what a user does, what a served network refuses, what a store or a
#: folder of a run says, and what the command line makes of a plugin's error.
OF_THE_HOST = (
    AnswerError, Interrupted, Overloaded, RequestError, errors.StoreError, errors.DamagedObjectError,
    errors.ConflictError, errors.NoDatasetError, errors.NoBundleError, errors.PluginError,
)  # fmt: skip


@pytest.mark.parametrize("cls", [c for c in CLASSES if c not in (UnknownNameError, MissingExtraError, *OF_THE_HOST)])
def test_every_error_comes_back_as_the_class_that_was_raised(cls):
    told = error_of(unpack(pack(failure_of(cls("what", "how"))), Failure))
    assert type(told) is cls
    assert (told.message, told.hint) == ("what", "how")


def test_errors_with_arguments_of_their_own_come_back_whole():
    missing = error_of(unpack(pack(failure_of(MissingExtraError("runtime 'x'", "onnx", "onnxruntime"))), Failure))
    assert isinstance(missing, MissingExtraError)
    assert missing.hint == install_command("onnx")
    unknown = error_of(unpack(pack(failure_of(UnknownNameError("runtime", "litter", ["litert", "tflm"]))), Failure))
    assert isinstance(unknown, UnknownNameError)
    assert "'litert'" in unknown.hint


def test_error_that_is_none_of_ours_becomes_a_target_error_that_names_it():
    told = error_of(failure_of(ZeroDivisionError("division by zero")))
    assert type(told) is TargetError
    assert "ZeroDivisionError: division by zero" in told.message


def test_the_traceback_of_a_plugin_that_failed_travels_with_its_error():
    def load():
        {}["bias"]

    try:
        try:
            load()
        except KeyError as error:
            raise errors.InferenceError("mine cannot load net: KeyError: 'bias'") from error
    except errors.InferenceError as error:
        sent = pack(failure_of(error))
    received = error_of(unpack(sent, messages.TracedFailure))
    assert type(received) is errors.InferenceError
    assert "in load" in str(received.__cause__)
    # An older host takes the same error without it.
    assert error_of(unpack(sent, Failure)).message == received.message


def test_an_error_that_was_raised_on_purpose_sends_no_traceback():
    assert type(failure_of(errors.InferenceError("no"))) is Failure
    assert error_of(failure_of(errors.InferenceError("no"))).__cause__ is None


def test_a_traceback_that_no_header_has_room_for_is_left_out():
    wide = errors.InferenceError("\U0001f600" * 8000, "\U0001f600" * 8000)
    wide.__cause__ = KeyError("\U0001f600" * 8000)
    assert len(pack(failure_of(wide))) <= 0xFFFF
    assert type(failure_of(wide)) is Failure


def test_subclass_of_a_plugin_is_told_as_the_class_that_both_sides_know():
    class Mine(errors.InferenceError):
        pass

    assert type(error_of(failure_of(Mine("what")))) is errors.InferenceError


def test_code_from_the_future_is_still_an_error_with_its_words():
    told = error_of(Failure(999, "what", "how"))
    assert type(told) is TargetError
    assert told.message == "what"


def test_codes_are_those_of_the_specification():
    assert {code: cls.__name__ for code, cls in messages.CODES.items()} == {
        1: "TargetError",
        2: "LeaseError",
        3: "WireError",
        4: "TargetError",
        5: "WireError",
        6: "TargetError",
        7: "LeaseError",
        16: "EdgerigError",
        17: "UsageError",
        18: "SpecError",
        19: "UnknownNameError",
        20: "MissingExtraError",
        21: "IncompatibleError",
        22: "DatasetError",
        23: "SourceError",
        24: "ModelError",
        25: "CompileError",
        26: "ArtifactCheckError",
        27: "InferenceError",
        28: "TargetError",
        29: "WireError",
        30: "StorageError",
        31: "TargetError",
        32: "NotInstalledError",
        33: "MissingProgramError",
        34: "EngineError",
    }
    assert set(messages.CODES.values()) == set(CLASSES) - set(OF_THE_HOST)


def test_long_messages_are_cut_and_fit_a_header():
    failure = failure_of(UnknownNameError("x" * 9000, "y" * 9000, [f"name-{i}" * 3 for i in range(10_000)]))
    assert len(pack(failure)) <= 0xFFFF


@pytest.mark.parametrize("details", [(), (1,), (1, 2, 3, 4), (None, None, None), ([], {}, 5)])
def test_errors_with_wrong_details_are_still_errors(details):
    for code in (19, 20):
        assert isinstance(error_of(Failure(code, "what", None, details)), EdgerigError)


def test_headers_grow_at_the_end_only():
    known = msgspec.msgpack.decode(pack(Hello(1, "edgerig 9", 100, 200, (1,), ("litert",), "clock")))
    newer = msgspec.msgpack.encode([*known, "new field", 5])
    older = msgspec.msgpack.encode([1, "edgerig 0", 100, 200])
    assert unpack(newer, Hello).clock == "clock"
    assert unpack(older, Hello).runtimes == ()


@given(st.binary(max_size=200))
def test_junk_is_a_wire_error_and_nothing_else(junk):
    for kind in (Hello, messages.ModelHeader, messages.Loaded, messages.Statistics, Failure):
        try:
            unpack(junk, kind)
        except WireError:
            continue


def test_deep_nesting_is_a_wire_error():
    with pytest.raises(WireError):
        unpack(b"\x91" * 100_000, messages.ModelHeader)
    nested = b"\x95\xa1r\x81\xa1k" + b"\x91" * 100_000
    with pytest.raises(WireError):
        unpack(nested, messages.ModelHeader)


@given(st.integers(1, 50), st.lists(st.integers(0, 40), max_size=4), st.sampled_from([0, 8]))
def test_tensors_come_apart_as_they_were_put_together(count, sizes, before):
    tensors = [bytes([i + 1]) * (size * count) for i, size in enumerate(sizes)]
    payload = memoryview(bytes(before * count) + b"".join(tensors))
    header = pack_tensors(count, [len(tensor) for tensor in tensors])
    got, views = unpack_tensors(header, payload, before)
    assert got == count
    assert [bytes(view) for view in views] == tensors


def test_header_of_tensors_lies_as_the_specification_says():
    assert pack_tensors(3, [6, 300]) == bytes([3, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 44, 1, 0, 0])


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (b"", 0),
        (pack_tensors(1, [4])[:-1], 4),
        (pack_tensors(0, []), 0),
        (pack_tensors(1, [4]), 5),
        (pack_tensors(2, [5]), 5),
        (pack_tensors(1, [4, 4]), 4),
        (b"\x01\0\0\0\xff\xff\0\0", 0),
    ],
)
def test_tensors_that_contradict_their_payload_are_refused(header, payload):
    with pytest.raises(WireError):
        unpack_tensors(header, memoryview(bytes(payload)))
