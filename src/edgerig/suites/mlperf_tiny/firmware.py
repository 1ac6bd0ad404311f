"""Firmware that is a device of MLPerf Tiny: what it must know of the network, and what of the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from edgerig.artifact import Quantization, TensorSpec
from edgerig.boards.board import Board
from edgerig.boards.config import quoted
from edgerig.boards.firmware import Console, Network
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark, benchmark_named
from edgerig.datasets.preprocess import dequantize, quantize_input
from edgerig.errors import IncompatibleError, ModelError
from edgerig.micro import Manifest
from edgerig.micro.emit.source import MANIFEST
from edgerig.suites.mlperf_tiny import grammar
from edgerig.suites.mlperf_tiny.device.fit import axes_order, check_fit, misfit, takes_samples_as_they_are

#: Folder of the C sources, under ``firmware``, and the name on the command line.
SOURCES, NAME = "mlperf_tiny", "mlperf-tiny"
#: What ``name`` answers.
VENDOR = "edgerig"
#: How a sample becomes the network's input, as ``tiny_network.c`` numbers it.
_COPY, _FLIP, _QUANTIZE, _LOOK_UP = range(4)

Mode = Literal["performance", "energy"]


def console_for(
    network: Network, board: Board, benchmark: str | None = None, mode: Mode = "performance", baud: int | None = None
) -> tuple[Console, Benchmark]:
    """The console of a board that runs ``network``, and the benchmark that it answers to.

    Args:
        network: In C, as edgerig's compiler made it.
        board: What it is for.
        benchmark: Its name; found from the network's shapes by default.
        mode: What a timestamp is: a line with the time, or a falling edge on the board's trigger pin.
        baud: Bits a second of the lines; what runners of that benchmark and mode use by default.

    Raises:
        UnknownNameError: There is no such benchmark.
        IncompatibleError: The network is none of that benchmark, or of any; or the board has no pin for energy mode.
        ModelError: The network's folder has no description.
    """
    if mode == "energy" and not board.trigger:
        raise IncompatibleError(
            f"{board.title} has no pin that tells a power monitor of timestamps.",
            "Build for performance, or for stm32f746; a board of your own names its pin in board.toml: trigger.",
        )
    manifest = _manifest(Path(network.folder))
    chosen = _fitting(manifest, benchmark)
    source, target = manifest.inputs[0], manifest.outputs[0]
    conversion, table, element = _conversion(chosen, source)
    macros: dict[str, str | int] = {
        "TINY_BENCHMARK": quoted(chosen.name),
        "TINY_PROFILE": quoted(grammar.PROFILE),
        "TINY_VENDOR": quoted(VENDOR),
        "TINY_ENERGY": int(mode == "energy"),
        "TINY_SAMPLE_BYTES": f"{chosen.input_bytes}u",
        "TINY_NETWORK_BYTES": f"{source.nbytes}u",
        "TINY_OUTPUTS": f"{target.elements}u",
        "TINY_INPUT": conversion,
        "TINY_ELEMENT": element,
        "TINY_SCORE": int(chosen.result_values == 1),
    }
    if table:
        macros["TINY_TABLE"] = table
    console = Console(
        name=f"{NAME} {chosen.name}" + (" energy" if mode == "energy" else ""),
        sources=SOURCES,
        macros=macros,
        sample_bytes=chosen.input_bytes,
        baud=baud or (grammar.ENERGY_BAUD if mode == "energy" else chosen.performance_baud),
    )
    return console, chosen


def _fitting(manifest: Manifest, name: str | None) -> Benchmark:
    if name is not None:
        check_fit(benchmark_named(name), manifest.inputs, manifest.outputs, "The model")
        return benchmark_named(name)
    fitting = [b for b in BENCHMARKS.values() if misfit(b, manifest.inputs, manifest.outputs) is None]
    if len(fitting) == 1:
        return fitting[0]
    reasons = "; ".join(f"{b.name}: {misfit(b, manifest.inputs, manifest.outputs)}" for b in BENCHMARKS.values())
    raise IncompatibleError(
        "The model is no network of MLPerf Tiny's benchmarks.",
        f"Give one that is. {reasons}.",
    )


def _conversion(benchmark: Benchmark, source: TensorSpec) -> tuple[int, str, str]:
    """How bytes of a sample become elements of ``source``: the way, a table where it takes one, and its elements.

    Samples are numbers of the reference network's input. A network with another type, scale or zero point gets what its
    own makes of the real numbers that they stand for.
    """
    if source.dtype not in ("int8", "float32") or axes_order(benchmark, source) != tuple(
        range(len(benchmark.input_shape))
    ):
        raise IncompatibleError(
            f"The model's input is {source.dtype} {'x'.join(map(str, source.shape))}; firmware puts samples of "
            f"{benchmark.name} into int8 or float32, channels last.",
            "Compile it with --to int8 or --to float32.",
        )
    if benchmark.input_type == "float32":
        return (_COPY if source.dtype == "float32" else _QUANTIZE), "", ""
    if takes_samples_as_they_are(benchmark, source):
        return (_COPY if benchmark.input_type == "int8" else _FLIP), "", ""
    numbers = np.arange(256, dtype=np.uint8) ^ (0x80 if benchmark.input_type == "uint8" else 0)
    quantization = Quantization((benchmark.scale,), (benchmark.zero_point,))
    real = dequantize(numbers.view(np.int8), TensorSpec("sample", (256,), "int8", quantization))
    if source.dtype == "float32":
        return _LOOK_UP, f"{{{', '.join(f'{value:.9e}f' for value in real.tolist())}}}", "float"
    table = quantize_input(real.astype(np.float32), msgspec.structs.replace(source, shape=(256,)))
    return _LOOK_UP, f"{{{', '.join(map(str, table.tolist()))}}}", "int8_t"


def _manifest(folder: Path) -> Manifest:
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(f"{folder} holds no network in C: {error}.", "edgerig compile MODEL --to c") from error
