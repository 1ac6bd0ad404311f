"""Many messages at once are the bytes of each by itself."""

import numpy as np
import pytest

from edgerig.errors import WireError
from edgerig.wire.digits import decode_request, encode_inference_reply, encode_inference_request
from edgerig.wire.digits.bulk import inference_replies, request_digits


@pytest.mark.parametrize("count", [1, 2, 7])
def test_requests_are_read_as_each_by_itself(count):
    digits = np.random.default_rng(count).normal(size=(count, 784)).astype(np.float32)
    messages = [encode_inference_request(digit) for digit in digits]
    np.testing.assert_array_equal(request_digits(b"".join(messages)), digits)
    np.testing.assert_array_equal(request_digits(b"".join(messages)), [decode_request(m).digit for m in messages])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_what_is_not_canonical_or_not_finite_is_left_to_the_reader_of_single_ones(count):
    message = encode_inference_request(np.zeros(784))
    for position in (0, 5, 43):
        other = bytearray(message * count)
        other[-len(message) + position] ^= 1
        assert request_digits(bytes(other)) is None
    for number in (np.nan, np.inf, -np.inf):
        assert request_digits(message * (count - 1) + message[:-4] + np.float32(number).tobytes()) is None


@pytest.mark.parametrize("count", [1, 2, 7])
def test_replies_are_written_as_each_by_itself(count):
    rng = np.random.default_rng(count)
    outputs, times = rng.normal(size=(count, 10)).astype(np.float32), rng.random(count)
    times[0] = 0.0
    expected = b"".join(encode_inference_reply(row, time) for row, time in zip(outputs, times, strict=True))
    assert inference_replies(outputs, times) == expected


def test_replies_hold_finite_numbers_alone():
    with pytest.raises(WireError, match="not finite"):
        inference_replies(np.full((2, 10), np.nan), np.zeros(2))
    with pytest.raises(WireError, match="not finite"):
        inference_replies(np.zeros((2, 10)), np.array([0.0, np.inf]))
