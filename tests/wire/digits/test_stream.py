import random

import pytest

from edgerig.errors import WireError
from edgerig.wire.digits import STATS_REQUEST, MessageStream, encode_inference_reply, encode_inference_request


def test_pipelined_messages_come_out_one_after_another_however_they_were_cut(layouts, digit, outputs):
    messages = [*layouts["requests"], STATS_REQUEST, encode_inference_request(digit), *layouts["replies"]]
    messages += [*layouts["stats"], encode_inference_reply(outputs, 0.0)]
    everything = b"".join(messages)
    cuts = random.Random(5)
    stream, taken, position = MessageStream(), [], 0
    while position < len(everything):
        portion = cuts.choice((1, 3, 40, 44, 500, 3180))
        stream.feed(everything[position : position + portion])
        position += portion
        while (message := stream.next()) is not None:
            taken.append(message)
    assert taken == messages
    assert stream.pending == 0
    assert stream.next() is None


def test_a_stream_that_went_wrong_stays_wrong():
    stream = MessageStream()
    stream.feed(STATS_REQUEST + b"\xff" * 4)
    assert stream.next() == STATS_REQUEST
    for _ in range(2):
        with pytest.raises(WireError, match="outside"):
            stream.next()
        stream.feed(STATS_REQUEST)
    assert stream.pending > 0
