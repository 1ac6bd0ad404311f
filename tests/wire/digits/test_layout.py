import numpy as np
import pytest

from edgerig.errors import WireError
from edgerig.wire.digits import (
    STATS_REQUEST,
    StatsReply,
    encode_inference_reply,
    encode_inference_request,
    encode_stats_reply,
)


def test_each_message_is_byte_for_byte_what_googles_builder_makes(generated, digit, outputs):
    assert encode_inference_request(digit) == generated.request(digit)
    assert encode_inference_reply(outputs, 1.25) == generated.reply(outputs, 1.25)
    assert encode_stats_reply(StatsReply(101, 216_000_000, 1)) == generated.stats(101, 216_000_000, 1)
    assert generated.command(0) == STATS_REQUEST


def test_a_field_that_is_0_is_written_too_so_that_a_message_has_one_size(generated, outputs):
    for timer_ms, count in ((0.0, 10), (1.5, 0), (0.0, 0)):
        message = encode_inference_reply(outputs, timer_ms, count)
        assert len(message) == 96
        assert message[:44] == encode_inference_reply(outputs, 7.0)[:44], "only the values differ"
        root = generated.root(message)
        assert (root.Ouput().TimerMs(), root.Ouput().OutputN()) == (timer_ms, count)
        # Google's builder, forced to write defaults, makes the same.
        assert message == generated.reply(outputs, timer_ms, count, force=True)
    assert len(encode_stats_reply(StatsReply(0, 0, 0))) == 48
    assert len(generated.reply(outputs, 0.0)) == 92, "a builder that leaves it out"


def test_googles_reader_reads_what_was_written(generated, digit, outputs):
    request = generated.root(encode_inference_request(digit))
    assert request.Cmd() == 1
    np.testing.assert_array_equal(request.Input().DigitAsNumpy(), digit)
    reply = generated.root(encode_inference_reply(outputs, 3.5))
    assert (reply.Cmd(), reply.Ouput().OutputN(), reply.Ouput().TimerMs()) == (2, 10, 3.5)
    np.testing.assert_array_equal(reply.Ouput().OutputFAsNumpy(), outputs)
    stats = generated.root(encode_stats_reply(StatsReply(255, 2**32 - 1, -128))).Stats()
    assert (stats.Version(), stats.Freq(), stats.Mode()) == (255, 2**32 - 1, -128)


def test_sizes_are_those_that_clients_with_fixed_reads_expect(digit, outputs):
    assert len(encode_inference_request(digit)) == 3180
    assert len(STATS_REQUEST) == 12
    assert len(encode_inference_reply(outputs, 1.0)) == 96
    assert len(encode_stats_reply(StatsReply(1, 2, 0))) == 48


@pytest.mark.parametrize(
    "digit",
    [np.zeros(783), np.zeros(785), [], 1.0, ["x"] * 784, np.full(784, np.nan), np.full(784, 1e39), [None] * 784],
)
def test_a_digit_that_is_none_is_refused(digit):
    with pytest.raises(WireError, match=r"numbers|finite"):
        encode_inference_request(digit)


def test_a_digit_may_come_as_a_picture_and_as_whole_numbers(digit):
    assert encode_inference_request(digit.reshape(1, 28, 28, 1)) == encode_inference_request(digit.astype(float))
    assert encode_inference_request(np.zeros((28, 28), int)) == encode_inference_request(np.zeros(784))


@pytest.mark.parametrize("timer_ms", [float("nan"), float("inf"), -1.0, 1e39])
def test_a_time_that_cannot_be_is_refused(timer_ms, outputs):
    with pytest.raises(WireError, match=r"cannot be sent|does not fit"):
        encode_inference_reply(outputs, timer_ms)


def test_outputs_and_statistics_that_do_not_fit_are_refused(outputs):
    for wrong in (outputs[:9], np.append(outputs, 1), np.full(10, np.inf)):
        with pytest.raises(WireError):
            encode_inference_reply(wrong, 1.0)
    with pytest.raises(WireError, match="does not fit"):
        encode_inference_reply(outputs, 1.0, 256)
    for stats in (StatsReply(256, 0, 0), StatsReply(0, -1, 0), StatsReply(0, 2**32, 0), StatsReply(0, 0, 128)):
        with pytest.raises(WireError, match="does not fit"):
            encode_stats_reply(stats)
