"""Numbers of the firmware that is a device of MLPerf Tiny: ``%0.3f`` of any float and double, to the last digit."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.firmware.c_driver import answers, build_driver

FIRMWARE = Path(__file__).parents[2] / "firmware"

DRIVER = r"""
#include <stdio.h>
#include <string.h>

#include "tiny_text.h"

static void sink(char byte) { putchar(byte); }

int main(void)
{
    char kind;
    unsigned long long bits, by;
    uint64_t number;
    uint32_t single;
    float real;
    double wide;

    while (scanf(" %c %llu %llu", &kind, &bits, &by) == 3) {
        switch (kind) {
        case 'f': single = (uint32_t)bits; memcpy(&real, &single, sizeof real); tiny_put_real(sink, real); break;
        case 'd': memcpy(&wide, &bits, sizeof wide); tiny_put_double(sink, wide); break;
        case 'u': tiny_put_unsigned(sink, bits); break;
        case 'b': tiny_put_byte(sink, (uint8_t)bits); break;
        case '/':
            number = bits;
            single = tiny_divide(&number, (uint32_t)by);
            printf("%llu %u", (unsigned long long)number, single);
            break;
        default: return 2;
        }
        putchar('\n');
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    common, tiny = FIRMWARE / "boards" / "common", FIRMWARE / "mlperf_tiny"
    return build_driver(
        tmp_path_factory.mktemp("tiny"), DRIVER, [tiny / "tiny_text.c", common / "text.c"], [tiny, common]
    )


def _bits(value: float, kind: str) -> int:
    return int.from_bytes(struct.pack(f"<{kind}", value), "little")


def _check(program: Path, values: list[float], kind: str) -> None:
    stored = [struct.unpack(f"<{kind}", struct.pack(f"<{kind}", value))[0] for value in values]
    told = answers(program, [f"{kind} {_bits(value, kind)} 0" for value in stored])
    assert told == [f"{value:0.3f}" for value in stored]


#: Halves of a thousandth, which go to the even one; carries; the ends of what there is.
HARD = [0.0, -0.0, 0.0005, 0.5, 0.0625, 0.4375, 1.0625, 2.0625, 0.9995, 0.99951171875, 0.00048828125, 0.000488, -0.0001]
HARD += [k / 256 for k in range(256)] + [k / 4096 for k in range(0, 4096, 7)] + [1e-45, 2.0**23, 2.0**24, 2.0**24 + 2]
HARD += [16777215.0, 8388607.5, 4194303.75, 4294967295.0, 3.4e38, math.inf, -math.inf, math.nan, 2.0**-11, 2.0**-12]


@pytest.mark.parametrize("kind", ["f", "d"])
def test_hard_reals(program: Path, kind: str) -> None:
    _check(program, HARD + [-value for value in HARD if not math.isnan(value)], kind)


def test_the_ends_of_doubles(program: Path) -> None:
    _check(program, [1.7976931348623157e308, 5e-324, 2.0**52 + 0.5, 2.0**53, 2.0**63, 1e22, 123456789012.0005], "d")


@pytest.mark.slow
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=100, max_size=100))
@settings(max_examples=30, deadline=None)
def test_any_float(program: Path, values: list[float]) -> None:
    _check(program, values, "f")


@pytest.mark.slow
@given(st.lists(st.floats(allow_nan=False) | st.floats(-1e4, 1e4), min_size=100, max_size=100))
@settings(max_examples=30, deadline=None)
def test_any_double(program: Path, values: list[float]) -> None:
    _check(program, values, "d")


def test_integers_and_bytes(program: Path) -> None:
    numbers = [0, 9, 10, 2**32 - 1, 2**32, 10**19, 2**64 - 1, *(7**k for k in range(23))]
    assert answers(program, [f"u {number} 0" for number in numbers]) == [str(number) for number in numbers]
    assert answers(program, [f"b {byte} 0" for byte in range(256)]) == [f"{byte:02x}" for byte in range(256)]


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 2**16 - 1)), min_size=50, max_size=50))
@settings(max_examples=20, deadline=None)
def test_division_of_64_bits(program: Path, cases: list[tuple[int, int]]) -> None:
    wanted = [f"{number // by} {number % by}" for number, by in cases]
    assert answers(program, [f"/ {number} {by}" for number, by in cases]) == wanted
