"""What firmware must know of a network and its benchmark, and networks that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.suites.mlperf_tiny.tiny_networks import tiny_network

from edgerig.boards.board import load_board
from edgerig.boards.firmware import BuildSettings, Network
from edgerig.boards.network import network_of
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, benchmark_named
from edgerig.errors import IncompatibleError, ModelError, UnknownNameError
from edgerig.models.files import open_artifact
from edgerig.suites.mlperf_tiny.firmware import console_for
from edgerig.testing import networks

BOARD = load_board("stm32f746")


def network_in(path: Path) -> Network:
    return network_of(open_artifact(path), BOARD, BuildSettings())


@pytest.mark.parametrize("name", [*BENCHMARKS])
def test_benchmark_is_found_from_the_shapes(name: str, network_files: dict[str, Path]) -> None:
    console, benchmark = console_for(network_in(network_files[name]), BOARD)
    assert (benchmark.name, console.name) == (name, f"mlperf-tiny {name}")
    assert console.sample_bytes == benchmark.input_bytes
    assert console_for(network_in(network_files[name]), BOARD, name)[0] == console


def test_table_of_another_quantization_holds_what_each_byte_stands_for(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny_network(benchmark_named("ic01"), source=(2.0, -128)))
    console, _ = console_for(network_in(path), BOARD)
    # Pixels are 0 to 255, and half as many steps of 2, halves away from zero.
    assert console.macros["TINY_TABLE"] == f"{{{', '.join(str((pixel + 1) // 2 - 128) for pixel in range(256))}}}"


def test_a_network_of_another_benchmark_is_refused_by_name(network_files: dict[str, Path]) -> None:
    network = network_in(network_files["kws01"])
    with pytest.raises(IncompatibleError, match=r"no network of ic01 .*input is 49x10x1, not 32x32x3") as error:
        console_for(network, BOARD, "ic01")
    assert "kws01" in (error.value.hint or "")
    with pytest.raises(UnknownNameError, match="kws02"):
        console_for(network, BOARD, "kws02")


def test_a_network_of_no_benchmark_is_told_what_each_takes(tmp_path: Path) -> None:
    path = networks.dense_tflite_int8(tmp_path / "net.tflite", 64, 10)
    with pytest.raises(IncompatibleError, match="no network of MLPerf Tiny") as error:
        console_for(network_in(path), BOARD)
    for name in BENCHMARKS:
        assert name in (error.value.hint or "")


def test_a_folder_without_a_description_is_no_network(network_files: dict[str, Path], tmp_path: Path) -> None:
    import msgspec

    network = msgspec.structs.replace(network_in(network_files["kws01"]), folder=str(tmp_path))
    with pytest.raises(ModelError, match="holds no network in C"):
        console_for(network, BOARD)
