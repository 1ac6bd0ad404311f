"""The options that say how a firmware is built, and building it by them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerig.cli.console import echo
from edgerig.cli.option_group import option_group

if TYPE_CHECKING:
    from edgerig.boards.board import Board
    from edgerig.boards.firmware import Console, Firmware, Network


#: How a firmware is built; `build_with` takes them.
build_options = option_group(
    click.option(
        "--console",
        "console_kind",
        type=click.Choice(["edgerig", "mlperf-tiny"]),
        default="edgerig",
        show_default=True,
        help="What it says on its lines: the wire and CMD=1 to 4, or MLPerf Tiny's commands on both.",
    ),
    click.option(
        "--benchmark", metavar="NAME", help="MLPerf Tiny's, such as kws01.  [default: by the network's shapes]"
    ),
    click.option(
        "--mode",
        type=click.Choice(["performance", "energy"]),
        help="MLPerf Tiny's: a timestamp is a line, or an edge on a pin.  [default: performance]",
    ),
    click.option(
        "--baud",
        type=click.IntRange(1200, 4_000_000),
        help="Of MLPerf Tiny's lines.  [default: the benchmark's and the mode's: 115200, 921600 or 9600]",
    ),
    click.option(
        "--compiler",
        type=click.Choice(["auto", "ziglang", "gcc"]),
        default="auto",
        show_default=True,
        help="The C compiler; gcc is arm-none-eabi-gcc.",
    ),
    click.option(
        "--optimize",
        type=click.Choice(["speed", "size"]),
        default="speed",
        show_default=True,
        help="What decides where a faster kernel takes more flash.",
    ),
    click.option(
        "--level",
        type=click.Choice(list("0123s")),
        default="2",
        show_default=True,
        help="The C compiler's optimization, as in -O2.",
    ),
    click.option("--no-fpu", is_flag=True, help="Do without the board's FPU."),
    click.option("--debug-build", is_flag=True, help="A build for a debugger: -Og -g."),
    click.option("--clock-hz", type=click.IntRange(min=1_000_000), help="The processor's clock."),
    click.option(
        "--overclock",
        type=click.IntRange(min=1),
        metavar="MHZ",
        help="A clock above the data sheet's, at your own risk: flagged at every number.",
    ),
    click.option(
        "--digits",
        is_flag=True,
        help="Answer the digits' protocol too, on a line of its own: UART7 of the stm32f746.",
    ),
    click.option(
        "--sample",
        type=click.Path(path_type=Path),
        help="A drawn digit for CMD=2: an image, or 784 numbers as .txt, .npy or .h.  [default: one of MNIST]",
    ),
    click.option("--kernels", metavar="CPU", help="CPU to choose kernels for, such as portable."),
)


def build_with(board_name: str, model: Path, out: Path | None, options: dict[str, Any]) -> tuple[Firmware, Network]:
    """The firmware of a board around ``model`` by the values of `build_options`, and the network in it."""
    from edgerig.boards.board import load_board
    from edgerig.boards.build import build_firmware
    from edgerig.boards.firmware import BuildSettings

    board = load_board(board_name)
    settings = BuildSettings(
        compiler=options["compiler"],
        optimize=options["optimize"],
        level=options["level"],
        fpu=not options["no_fpu"],
        debug=options["debug_build"],
        clock_hz=options["clock_hz"],
        overclock=options["overclock"],
        kernels=options["kernels"],
        digits=options["digits"],
    )
    network = _with_sample(_network(model, board, settings), options["sample"])
    console = _console(network, board, options)
    return build_firmware(board, network, out, settings, echo, console), network


def _console(network: Network, board: Board, options: dict[str, Any]) -> Console | None:
    from edgerig.errors import UsageError
    from edgerig.suites.mlperf_tiny.firmware import NAME, console_for

    benchmark, mode, baud = options["benchmark"], options["mode"], options["baud"]
    if options["console_kind"] == NAME and options["sample"] is not None:
        raise UsageError(f"--sample is for CMD=2, which --console {NAME} does not have.", "Leave one of them out.")
    if options["console_kind"] == NAME:
        return console_for(network, board, benchmark, mode or "performance", baud)[0]
    for option, value in (("--benchmark", benchmark), ("--mode", mode), ("--baud", baud)):
        if value is not None:
            raise UsageError(
                f"{option} {value} means nothing to the firmware that speaks edgerig's wire.",
                f"Leave it out, or build a device of MLPerf Tiny: --console {NAME}.",
            )
    return None


def _with_sample(network: Network, sample: Path | None) -> Network:
    from edgerig.boards.network import with_digit
    from edgerig.datasets.digit_file import read_digit

    return network if sample is None else with_digit(network, read_digit(sample), sample.name)


def _network(model: Path, board: Any, settings: Any) -> Network:
    from edgerig.boards.network import network_in, network_of
    from edgerig.errors import UsageError
    from edgerig.models.files import open_artifact

    if not model.is_dir():
        return network_of(open_artifact(model), board, settings)
    if settings.kernels:
        raise UsageError(
            f"{model} is C already, with the kernels that it was made with; --kernels does nothing to it.",
            f"Leave it out, or give the .tflite file: edgerig compile NET.tflite --to c --cpu {settings.kernels}.",
        )
    return network_in(model)
