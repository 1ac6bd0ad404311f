"""Answers to ``infer``: read as a whole they say what they say line by line, or the reading is left to the lines."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.errors import AnswerError
from edgerig.suites.mlperf_tiny.grammar import READY
from edgerig.suites.mlperf_tiny.runner.answers import (
    USUAL_INFERENCE,
    Asked,
    Inference,
    elapsed_us,
    parse_inference,
    read_usual,
)
from edgerig.suites.mlperf_tiny.runner.line import ReceivedLine, WholeAnswer

COUNTS = (12,)
SENT, CAME = 100.0, 100.5
COUNTER = st.integers(0, (1 << 32) - 1)


def answer(warm_up: str, iterations: str, laps: tuple[str, str], results: str) -> bytes:
    """As a reference device prints it."""
    lines = (f"m-warmup-start-{warm_up}", "m-warmup-done", f"m-infer-start-{iterations}")
    lines += (*(f"m-lap-us-{lap}" for lap in laps), "m-infer-done", f"m-results-[{results}]", READY)
    return "".join(f"{line}\r\n" for line in lines).encode()


def whole(data: bytes) -> WholeAnswer:
    match = USUAL_INFERENCE.fullmatch(data)
    assert match is not None
    return WholeAnswer(match, CAME)


def by_lines(data: bytes, asked: Asked) -> Inference | str:
    """What its lines say, or the error."""
    lines = [ReceivedLine(text, CAME) for text in data.decode().split("\r\n")[:-2]]
    try:
        return parse_inference(lines, asked)
    except AnswerError as error:
        return str(error)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=12, max_size=12),
    st.integers(1, 10**6),
    st.integers(0, 99),
    COUNTER,
    COUNTER,
)
def test_read_as_a_whole_it_is_the_same_as_by_lines(
    values: list[float], iterations: int, warm_up: int, first: int, second: int
) -> None:
    results = ",".join(f"{value:.3f}" for value in values)
    data = answer(str(warm_up), str(iterations), (str(first), str(second)), results)
    asked = Asked(iterations, warm_up, COUNTS, SENT, real_time=False)
    inference = read_usual(whole(data), asked)
    assert inference == by_lines(data, asked)
    assert inference is not None
    assert inference.outputs == tuple(float(word) for word in results.split(","))
    assert inference.device_seconds == pytest.approx(((second - first) % (1 << 32)) * 1e-6)
    assert inference.host_seconds is None
    assert inference.trip_seconds == CAME - SENT


GOOD = ",".join(["0.083"] * 12)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (answer("1", "5", ("0", "9"), GOOD), "asked for 0 inferences and says 'm-warmup-start-1'"),
        (answer("0", "6", ("0", "9"), GOOD), "asked for 5 inferences and says 'm-infer-start-6'"),
        (answer("0", "05", ("0", "9"), GOOD), "asked for 5 inferences and says 'm-infer-start-05'"),
        (answer("0", "5", ("0", "9"), GOOD + ",0.1"), "gives 13 results"),
        (answer("0", "5", ("0", "9"), GOOD[:-5] + "0.1.2"), "'0.1.2', which is no number"),
        (answer("0", "5", ("0", "9"), GOOD[:-5] + "9" * 400), "no finite number"),
    ],
)
def test_what_is_wrong_is_left_to_the_lines_which_say_what(data: bytes, said: str) -> None:
    asked = Asked(5, 0, COUNTS, SENT)
    assert read_usual(whole(data), asked) is None
    found = by_lines(data, asked)
    assert isinstance(found, str)
    assert said in found


def test_a_comma_after_the_last_result_is_left_to_the_lines_which_take_it() -> None:
    data, asked = answer("0", "5", ("0", "9"), GOOD + ","), Asked(5, 0, COUNTS, SENT)
    assert read_usual(whole(data), asked) is None
    inference = by_lines(data, asked)
    assert isinstance(inference, Inference)
    assert inference.outputs == (0.083,) * 12
    assert parse_inference(whole(data).lines, asked) == inference


@pytest.mark.parametrize("results", ["nan", "0.1,inf", "0_9", "0.1 ,0.2"])
def test_other_characters_are_no_usual_answer(results: str) -> None:
    assert USUAL_INFERENCE.fullmatch(answer("0", "1", ("0", "1"), results)) is None


def test_a_clock_of_more_than_32_bits_that_went_back_is_told_with_its_line() -> None:
    with pytest.raises(AnswerError, match=r"went back by 1 us within one 'infer': 'm-lap-us-9999999999'"):
        elapsed_us(10**10, 10**10 - 1, 1.0)
    assert math.isclose(elapsed_us(2**32 - 10, 5, None), 15)
