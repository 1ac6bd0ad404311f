"""Text and time of the boards' firmware, on this machine and under sanitizers."""

from __future__ import annotations

import math
import random
import struct
from pathlib import Path

import pytest
from tests.firmware.c_driver import answers, build_driver

COMMON = Path(__file__).parents[2] / "firmware" / "boards" / "common"

DRIVER = r"""
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "text.h"

uint32_t board_ticks(void);
static uint32_t now;
uint32_t board_ticks(void) { return now; }
static void sink(char byte) { putchar(byte); }

int main(void)
{
    char line[200], kind, name[100];
    uint32_t number, width;
    unsigned long long ticks;
    float real;

    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "%c %u %u %99[^\n]", &kind, &number, &width, name) < 3) { return 1; }
        memcpy(&real, &number, sizeof real);
        switch (kind) {
        case 'n': text_number(sink, number, width); break;
        case 's': text_signed(sink, (int32_t)number, width); break;
        case 'h': text_hex(sink, number); break;
        case 't': text_thousandths(sink, number, width); break;
        case 'r': text_real(sink, real); break;
        case 'l': text_left(sink, name, width); break;
        case 'c':
            ticks = (unsigned long long)number << 20 | width;
            printf("%llu", (unsigned long long)clock_nanoseconds(ticks));
            break;
        case 'w': now = number; printf("%llu", (unsigned long long)clock_now()); break;
        default: return 2;
        }
        putchar('\n');
    }
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "board_config.h").write_text("#define BOARD_TICK_HZ UINT64_C(216000000)\n")
    return build_driver(folder, DRIVER, [COMMON / "text.c", COMMON / "clock.c"], [COMMON])


NUMBERS = [0, 1, 9, 10, 99, 100, 999, 1000, 123456, 2**31 - 1, 2**31, 2**32 - 1]
NUMBERS += [random.Random(1).getrandbits(bits) for bits in range(1, 33) for _ in range(8)]


def test_numbers_are_written_as_python_writes_them(program: Path) -> None:
    cases = [(number, width) for number in NUMBERS for width in (0, 5, 12)]
    assert answers(program, [f"n {n} {w}" for n, w in cases]) == [f"{n:>{w}}" if w else str(n) for n, w in cases]
    signed = [(n - 2**32 if n >= 2**31 else n) for n, _ in cases]
    wanted = [f"{n:>{w}}" if w else str(n) for n, (_, w) in zip(signed, cases, strict=True)]
    assert answers(program, [f"s {n} {w}" for n, w in cases]) == wanted
    assert answers(program, [f"h {n} 0" for n in NUMBERS]) == [f"{n:08x}" for n in NUMBERS]
    wanted = [f"{n // 1000}.{n % 1000:03}".rjust(w) for n, w in cases]
    assert answers(program, [f"t {n} {w}" for n, w in cases]) == wanted


def test_reals_have_six_digits_after_the_point(program: Path) -> None:
    rng = random.Random(2)
    values = [0.0, 1.0, -1.0, 0.9999996, 1999999872.0, 3e9, -4e30, 0.00390625, 1e-9]
    values += [rng.uniform(-1, 1) * 10 ** rng.randint(-6, 9) for _ in range(300)]
    single = [struct.unpack("<f", struct.pack("<f", value))[0] for value in values]
    told = answers(program, [f"r {struct.unpack('<I', struct.pack('<f', value))[0]} 0" for value in values])
    for value, text in zip(single, told, strict=True):
        if abs(value) >= 2e9:
            assert text == ("-" if value < 0 else "") + "over 2e9"
        else:
            assert float(text) == pytest.approx(value, abs=6e-7, rel=1e-7), text
            assert len(text.split(".")[1]) == 6
    assert answers(program, [f"r {0x7FC00000} 0", f"r {0x7F800000} 0"]) == ["over 2e9", "over 2e9"]


@pytest.mark.parametrize("name", ["a", "conv", "exactly10c", "elevenchars", "a;very;long;name;of;an;operator"])
def test_names_fill_their_column_exactly(program: Path, name: str) -> None:
    (text,) = answers(program, [f"l 0 11 {name}"])
    assert len(text) == 11
    assert text == (f"{name:<11}" if len(name) < 11 else name[:8] + ".. ")


def test_nanoseconds_of_ticks_are_exact_to_a_nanosecond_in_seconds(program: Path) -> None:
    rng = random.Random(3)
    cases = [(rng.getrandbits(rng.randint(1, 24)), rng.getrandbits(20)) for _ in range(300)]
    for (high, low), text in zip(cases, answers(program, [f"c {h} {w}" for h, w in cases]), strict=True):
        ticks = high << 20 | low
        exact = ticks * 1e9 / 216e6
        assert math.isclose(int(text), exact, abs_tol=1 + ticks * 2**-33), ticks


def test_the_clock_goes_on_when_the_counter_runs_over(program: Path) -> None:
    readings = [5, 2**31, 2**32 - 1, 3, 2**31, 1]
    wanted = [5, 2**31, 2**32 - 1, 2**32 + 3, 2**32 + 2**31, 2**33 + 1]
    assert [int(text) for text in answers(program, [f"w {n} 0" for n in readings])] == wanted
