"""The firmware's C on this machine, under sanitizers: any bytes are answered as the device on Linux answers them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.needs import need
from tests.suites.mlperf_tiny.tiny_networks import seeded_sample

from edgerig.boards.board import firmware_folder, load_board
from edgerig.boards.config import write_config, write_console
from edgerig.boards.firmware import BuildSettings
from edgerig.boards.network import network_of
from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named
from edgerig.models.files import open_artifact
from edgerig.suites.mlperf_tiny.device.console import DeviceConsole
from edgerig.suites.mlperf_tiny.device.network import open_network
from edgerig.suites.mlperf_tiny.firmware import VENDOR, console_for
from edgerig.suites.mlperf_tiny.grammar import LARGEST_SAMPLE

BOARD = load_board("mps2-an385")
#: A board whose line is standard input and output, with memory of its own behind the sample's.
DRIVER = r"""
#include <stdio.h>

#include "board.h"
#include "processor.h"
#include "model.h"
#include "tiny.h"

uint32_t er_free[27648 / 4];
processor_fault processor_last_fault;

uint32_t board_ticks(void) { static uint32_t now; return now += 1000; }
void board_put(board_line line, uint8_t byte) { if (line == BOARD_WIRE) { putchar(byte); } }
int board_get(board_line line) { return line == BOARD_WIRE ? getchar() : -1; }

int main(void)
{
    int byte;

    model_init();
    tiny_boot();
    while ((byte = board_get(BOARD_WIRE)) >= 0) { tiny_byte(BOARD_WIRE, (uint8_t)byte); }
    return 0;
}
"""
BOOT = "m-timestamp-mode-performance\r\nm-lap-us-T\r\nm-init-done\r\nm-ready\r\n"
WORDS = ["name", "profile", "timestamp", "results", "db", "load", "print", "infer", "0", "1", "2", "-1", "490", "640"]
WORDS += ["27648", "27649", "99999999999", "00", "0f" * 31, "abc", "zz", "5a5a", "x" * 90, "ff" * 45, ""]


@pytest.fixture(scope="module", params=["kws01", "ic01", "ad01"])
def program(
    request: pytest.FixtureRequest, network_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The firmware of a benchmark, called as that."""
    need("gcc")
    folder = tmp_path_factory.mktemp("firmware")
    # The board's own kernels are in its processor's language.
    settings = BuildSettings(kernels="portable")
    network = network_of(open_artifact(network_files[request.param]), BOARD, settings)
    console, _ = console_for(network, BOARD)
    write_config(folder, BOARD, network, settings, {"board": "host"})
    write_console(folder, console)
    (folder / "driver.c").write_text(DRIVER)
    tiny, common = firmware_folder() / "mlperf_tiny", firmware_folder() / "boards" / "common"
    sources = [folder / "driver.c", *(tiny / f"tiny_{name}.c" for name in ("console", "sample", "network", "text"))]
    sources += [common / f"{name}.c" for name in ("text", "clock", "machine")]
    sources += sorted(Path(network.folder).rglob("*.c"))
    flags = ["-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags += [f"-I{path}" for path in (folder, network.folder, tiny, common)]
    end = f"-Wl,--defsym=er_ram_end=er_free+{LARGEST_SAMPLE}"
    subprocess.run(["gcc", *flags, *sources, end, "-lm", "-o", folder / request.param], check=True)
    return folder / request.param


@pytest.fixture(scope="module")
def model(program: Path, network_files: dict[str, Path]) -> Iterator[DeviceConsole]:
    network = open_network(
        benchmark_named(program.name), network_files[program.name], "litert", {"kernels": "reference"}
    )
    yield DeviceConsole(program.name, network, vendor=VENDOR)
    network.close()


def same_answers(program: Path, model: DeviceConsole, stream: bytes) -> None:
    """The program answers ``stream`` as the model does, which starts without a sample as the program does."""
    done = subprocess.run([program], input=stream, capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    expected = BOOT + "".join(line + "\r\n" for line in model.feed(stream))
    assert _timeless(done.stdout.decode("ascii")) == _timeless(expected)


def _timeless(text: str) -> str:
    return re.sub(r"m-lap-us-\d+", "m-lap-us-T", text)


def _whole_sample(name: str, seed: int) -> bytes:
    sample = seeded_sample(benchmark_named(name), seed)
    parts = [f"db {sample[i : i + 31].hex()}%" for i in range(0, len(sample), 31)]
    return f"db load {len(sample)}%{''.join(parts)}".encode()


@pytest.mark.slow
def test_commands_and_garbage_are_answered_alike(program: Path, model: DeviceConsole) -> None:
    rng = np.random.default_rng(8)
    # So that both know the results of the same last inference.
    stream = _whole_sample(program.name, 1) + b"infer 1 0%"
    for round_ in range(800):
        words = rng.choice(WORDS, rng.integers(1, 4))
        stream += " ".join(words).encode()
        if round_ % 5 == 0:
            stream += rng.integers(0, 256, rng.integers(0, 100), np.uint8).tobytes()
        stream += b"%"
        if round_ % 200 == 100:
            stream += _whole_sample(program.name, round_) + b"infer 2 1%db print%results%"
    same_answers(program, model, stream)


def test_bytes_of_any_kind_do_no_harm(program: Path, model: DeviceConsole) -> None:
    rng = np.random.default_rng(9)
    weights = np.full(256, 1.0)
    weights[[ord("%"), ord(" "), ord("d"), ord("b")]] = 20
    noise = rng.choice(256, 20_000, p=weights / weights.sum()).astype(np.uint8).tobytes()
    same_answers(program, model, b"%db load 0%" + _whole_sample(program.name, 1) + b"infer%" + noise + b"%")


@pytest.mark.parametrize("program", ["ad01"], indirect=True)
@pytest.mark.parametrize("word", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_refused(word: str, program: Path, model: DeviceConsole) -> None:
    sample = np.zeros(640, "<f4")
    sample[639] = float(word)
    data = sample.tobytes()
    stream = "db load 2560%" + "".join(f"db {data[i : i + 32].hex()}%" for i in range(0, 2560, 32))
    same_answers(program, model, _whole_sample("ad01", 3) + b"infer 1 0%" + stream.encode() + b"infer 1 0%results%")
