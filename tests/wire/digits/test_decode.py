import json
import random
import struct
import subprocess

import flatbuffers
import numpy as np
import pytest
from tests.wire.digits.conftest import SCHEMA

from edgerig.errors import WireError
from edgerig.wire.digits import (
    STATS_REQUEST,
    InferenceReply,
    InferenceRequest,
    StatsReply,
    StatsRequest,
    decode_reply,
    decode_request,
    encode_inference_reply,
    encode_inference_request,
    encode_stats_reply,
    message_length,
)
from edgerig.wire.digits.tables import LIMIT


def refused(decode, data):
    """Whether ``data`` is refused, and in the one way that there is."""
    try:
        decode(data)
    except WireError as error:
        return bool(error.message)
    return False


def test_requests_of_any_writer_are_read(layouts, digit, generated):
    assert {len(message) for message in layouts["requests"]} >= {3180, 3184}
    for message in layouts["requests"]:
        request = decode_request(message)
        assert isinstance(request, InferenceRequest)
        np.testing.assert_array_equal(request.digit, digit)
    assert decode_request(STATS_REQUEST) == decode_request(generated.stats(1, 2, 1)) == StatsRequest()


def test_replies_of_any_writer_are_read(layouts, outputs, generated):
    assert {len(message) for message in layouts["replies"]} >= {84, 92, 96}
    for message in layouts["replies"]:
        reply, table = decode_reply(message), generated.root(message).Ouput()
        assert isinstance(reply, InferenceReply)
        np.testing.assert_array_equal(reply.outputs, outputs)
        assert (reply.timer_ms, reply.output_n) == (table.TimerMs(), table.OutputN())
        assert reply.digit == outputs.argmax()
    for message in layouts["stats"]:
        table = generated.root(message).Stats()
        assert decode_reply(message) == StatsReply(table.Version(), table.Freq(), table.Mode())


def test_messages_of_the_cpp_writer_are_read_and_its_verifier_takes_ours(tmp_path, generated, digit, outputs):
    values = {"cmd": "CMD_INFERENCE_INPUT", "input": {"digit": digit.tolist()}}
    (tmp_path / "request.json").write_text(json.dumps(values))
    subprocess.run(["flatc", "--binary", "-o", tmp_path, SCHEMA, tmp_path / "request.json"], check=True)
    request = decode_request((tmp_path / "request.bin").read_bytes())
    assert isinstance(request, InferenceRequest)
    np.testing.assert_allclose(request.digit, digit, rtol=1e-6)
    reply = tmp_path / "reply.bin"
    reply.write_bytes(encode_inference_reply(outputs, 2.5))
    command = ["flatc", "--json", "--strict-json", "--raw-binary", "-o", tmp_path, SCHEMA, "--", reply]
    subprocess.run(command, check=True)
    answer = json.loads((tmp_path / "reply.json").read_text())
    assert (answer["cmd"], answer["ouput"]["timer_ms"]) == ("CMD_INFERENCE_OUTPUT", 2.5)
    np.testing.assert_allclose(answer["ouput"]["output_f"], outputs, atol=1e-6)


def test_a_canonical_requests_digit_is_no_copy(digit):
    message = bytearray(encode_inference_request(digit))
    request = decode_request(message)
    assert isinstance(request, InferenceRequest)
    assert np.shares_memory(request.digit, np.frombuffer(message, np.uint8))


def test_every_truncation_is_refused_and_needs_more(layouts, digit, outputs):
    messages = [encode_inference_request(digit), layouts["requests"][-1], encode_inference_reply(outputs, 1.0)]
    messages += [STATS_REQUEST, encode_stats_reply(StatsReply(1, 2, 1)), *layouts["replies"][:4], *layouts["stats"][:4]]
    for message in messages:
        assert message_length(message) == len(message)
        for length in range(len(message)):
            part = message[:length]
            assert message_length(part) is None, f"the first {length} of {len(message)} bytes may still become it"
            assert refused(decode_request, part)
            assert refused(decode_reply, part)


def test_bytes_behind_a_message_are_refused_and_not_counted(layouts):
    for message in [layouts["requests"][0], layouts["requests"][-1], *layouts["replies"], *layouts["stats"]]:
        assert message_length(message + b"\xff" * 8) == len(message)
        assert refused(decode_request, message + b"\0")
        assert refused(decode_reply, message + b"\0")


def test_requests_are_no_replies_and_replies_no_requests(digit, outputs, generated):
    with pytest.raises(WireError, match="no request: its command is 2"):
        decode_request(encode_inference_reply(outputs, 1.0))
    with pytest.raises(WireError, match="no reply: its command is 1"):
        decode_reply(encode_inference_request(digit))
    with pytest.raises(WireError, match="no statistics"):
        decode_reply(STATS_REQUEST)
    for command in (3, 127, -1):
        with pytest.raises(WireError, match=f"its command is {command}"):
            decode_request(generated.command(command))
        with pytest.raises(WireError, match=f"its command is {command}"):
            decode_reply(generated.command(command))
    with pytest.raises(WireError, match="digit has 0 numbers, not 784"):
        decode_request(generated.command(1))
    with pytest.raises(WireError, match="output_f has 0 numbers, not 10"):
        decode_reply(generated.command(2))


@pytest.mark.parametrize("length", [0, 1, 783, 785, 900])
def test_vectors_of_the_wrong_length_are_refused(length, generated):
    with pytest.raises(WireError, match=f"digit has {length} numbers, not 784"):
        decode_request(generated.request([0.5] * length))
    with pytest.raises(WireError, match=f"output_f has {length} numbers, not 10"):
        decode_reply(generated.reply([0.5] * length, 1.0))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_refused(value, digit, outputs, generated):
    for position in (0, 400, 783):
        pixels = digit.copy()
        pixels[position] = value
        for order in (("Cmd", "Input"), ("Input", "Cmd")):
            assert refused(decode_request, generated.request(pixels, order))
    assert refused(decode_reply, generated.reply([value, *outputs[1:]], 1.0))
    assert refused(decode_reply, generated.reply(outputs, value))
    assert refused(decode_reply, generated.reply(outputs, -0.5))


def test_offsets_that_lead_outside_or_back_are_refused_at_once(digit, outputs):
    for message in (encode_inference_request(digit), encode_inference_reply(outputs, 1.0)):
        for position in (0, 20 if len(message) > 96 else 16):
            for offset in (0, 1, 2, 3, LIMIT, 2**31 - 1, 2**31, 2**32 - 1):
                wrong = bytearray(message)
                struct.pack_into("<I", wrong, position, offset)
                assert refused(decode_request, wrong)
                assert refused(decode_reply, wrong)
    vtable_back = bytearray(STATS_REQUEST)
    for offset in (-(2**31), -LIMIT, LIMIT, 2**31 - 1, 1, 3):
        struct.pack_into("<i", vtable_back, 8, offset)
        assert refused(decode_request, vtable_back)


def test_a_huge_vector_is_refused_before_it_comes(digit):
    head = bytearray(encode_inference_request(digit)[:44])
    for count in (LIMIT // 4, 2**30 - 1, 2**30, 2**32 - 1):
        struct.pack_into("<I", head, 40, count)
        with pytest.raises(WireError, match="outside"):
            message_length(head)


def test_fields_that_the_schema_does_not_know_are_refused():
    def with_a_fifth_field(value):
        builder = flatbuffers.Builder(16)
        builder.StartObject(5)
        builder.PrependInt32Slot(4, value, 0)
        builder.Finish(builder.EndObject())
        return bytes(builder.Output())

    assert decode_request(with_a_fifth_field(0)) == StatsRequest(), "a field that is left out harms nothing"
    # Where it leads is unknown, and with that where the message ends.
    for read in (decode_request, decode_reply, message_length):
        with pytest.raises(WireError, match="schema does not know"):
            read(with_a_fifth_field(7))


def test_every_change_of_one_byte_in_a_messages_head_gives_a_message_or_the_one_error(digit, outputs, layouts):
    for message, decode in (
        (encode_inference_request(digit), decode_request),
        (layouts["requests"][-1], decode_request),
        (encode_inference_reply(outputs, 1.0), decode_reply),
        (encode_stats_reply(StatsReply(1, 2, 1)), decode_reply),
        (STATS_REQUEST, decode_request),
    ):
        for position in range(min(len(message), 56)):
            for value in (0, 1, 2, 4, 127, 128, 255, message[position] ^ 1, message[position] ^ 4):
                changed = bytearray(message)
                changed[position] = value
                refused(decode, changed)


def test_random_bytes_never_do_anything_else(digit, outputs):
    random_bytes = random.Random(3)
    seeds = [encode_inference_request(digit)[:120], encode_inference_reply(outputs, 1.0), STATS_REQUEST]
    for turn in range(6000):
        data = bytearray(random_bytes.randbytes(random_bytes.randrange(128)) if turn % 3 == 0 else seeds[turn % 2])
        for _ in range(random_bytes.randrange(4) if data else 0):
            data[random_bytes.randrange(len(data))] = random_bytes.choice((0, 4, 8, 12, 16, 20, 255, 128))
        for decode in (decode_request, decode_reply, message_length):
            refused(decode, data)
        refused(decode_request, memoryview(data))
