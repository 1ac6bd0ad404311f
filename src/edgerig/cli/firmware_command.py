"""``edgerig firmware``: build, flash, size and console of a board's firmware."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from edgerig.cli.console import echo, print_json, say, say_raw, terminal_width
from edgerig.cli.firmware_build import build_options, build_with
from edgerig.cli.inference_view import Rate, cost_json, cost_lines
from edgerig.cli.lazy_group import Commands
from edgerig.cli.options import FiniteRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgerig.targets.emulated.console import Terminal


@click.group(name="firmware", cls=Commands)
def command() -> None:
    """Build, flash, measure and talk to the firmware of a board, with a network inside.

    \b
    Examples:
      edgerig firmware boards
      edgerig firmware build --board stm32f746 --model net_int8.tflite --out build/fw
      edgerig firmware size build/fw
      edgerig firmware flash build/fw
      edgerig firmware gdb qemu:mps2-an500 build/fw
      edgerig firmware console sim:stm32f746 --model net_int8.tflite
      edgerig firmware console serial:///dev/ttyUSB0
      edgerig firmware build --board stm32f746 --model kws.tflite --console mlperf-tiny --out build/kws
    """


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print the descriptions as JSON.")
def boards(as_json: bool) -> None:
    """List the boards that there are.

    \b
    Examples:
      edgerig firmware boards
      edgerig firmware boards --json | jq '.[].name'
    """
    from edgerig.boards.board import board_names, load_board

    all_boards = [load_board(name) for name in board_names()]
    if as_json:
        print_json(all_boards)
        return
    for board in all_boards:
        flash, ram = board.memory.flash.length, board.memory.ram.length
        scheme = "sim" if board.simulator == "unicorn" else board.simulator
        ways = [*([f"{scheme}:{board.name}"] if scheme else []), *(["serial:"] if board.flash else [])]
        say(
            f"{board.name:<16}{board.title:<32}{board.clock_hz / 1e6:>4g} MHz  flash {flash // 1024:>5} KiB  "
            f"RAM {ram // 1024:>5} KiB  {', '.join(ways)}"
        )


@command.command()
@click.option("--board", required=True, help="The board's name; a wrong one lists those that there are.")
@click.option(
    "--model",
    metavar="PATH",
    required=True,
    type=click.Path(path_type=Path),
    help="A .tflite file, or a folder of generated C.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The firmware's folder.")
@build_options
@click.option(
    "--explain", is_flag=True, help="Which kernel runs each layer, its instructions, and why no better kernel does."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was built as JSON.")
def build(board: str, model: Path, out: Path, explain: bool, as_json: bool, **options: Any) -> None:
    """Compile a network to C and build the firmware of a board around it.

    Leaves firmware.elf, firmware.bin and firmware.json in the folder --out. What does not fit the board is told with
    a table of what takes how much.

    \b
    Examples:
      edgerig firmware build --board stm32f746 --model net_int8.tflite --out build/fw
      edgerig firmware build --board stm32f746 --model net_int8.tflite --digits --out build/fw
      edgerig firmware build --board mps2-an500 --model net_int8.tflite --explain --out build/fw
    """
    import msgspec

    from edgerig.cli.explain_view import counted, counted_layers, explanation, note_lines, read_manifest

    firmware, network = build_with(board, model, out, options)
    if as_json:
        layers = {"layers": counted_layers(Path(network.folder))} if explain else {}
        print_json(msgspec.to_builtins(firmware) | layers)
        return
    sizes = firmware.sizes
    if firmware.console:
        flash, ram = sizes.groups["flash"], sizes.groups["ram"]
        echo(
            f"{firmware.console}: its console takes {flash['console']:,} B of flash and {ram['console']:,} B of RAM, "
            f"and a sample {ram['sample']:,} B of RAM"
        )
    echo(
        f"{firmware.elf}: flash {sizes.flash:,} of {sizes.flash_limit:,} B, RAM {sizes.ram:,} of {sizes.ram_limit:,} B"
    )
    folder = Path(network.folder)
    manifest = read_manifest(folder)
    lines = note_lines(manifest)
    if explain:
        lines = ["", *explanation(manifest, counted(folder, manifest), terminal_width(sys.stderr))]
    for line in lines:
        echo(line)


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--symbols", type=click.IntRange(min=0), default=12, show_default=True, help="How many to show of each.")
@click.option("--rate", type=Rate(), help="Inferences that are wanted, such as 10/s: the processor's share.")
@click.option("--board", help="The board's folder, where it is one of yours.")
@click.option("--json", "as_json", is_flag=True, help="Print all symbols as JSON.")
def size(folder: Path, symbols: int, rate: float | None, board: str | None, as_json: bool) -> None:
    """Show what takes how much flash and RAM in a firmware that was built, and what an inference costs.

    One inference of zeros is run on the simulated board, where there is one: instructions and cycles, also for each
    multiply-accumulate, and the stack that was used.

    \b
    Examples:
      edgerig firmware size build/fw
      edgerig firmware size build/fw --rate 10/s
    """
    import msgspec

    from edgerig.boards.board import board_names, load_board
    from edgerig.boards.firmware import read_firmware
    from edgerig.boards.sizes import table
    from edgerig.simulator.inference_cost import inference_cost

    firmware = read_firmware(folder)
    named = board or (firmware.board if firmware.board in board_names() else None)
    cost = inference_cost(firmware, None if named is None else load_board(named))
    if as_json:
        print_json(msgspec.to_builtins(firmware.sizes) | {"inference": cost_json(cost, rate)})
        return
    say(table(firmware.sizes, symbols, terminal_width(sys.stdout)))
    for line in cost_lines(cost, firmware.sizes.stack, rate):
        say(line)
    if "overclocked" in firmware.build:
        say(f"  overclocked: {firmware.build['overclocked']}; time and share are none of the data sheet's chip")


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--tool", metavar="NAME", help="openocd, pyocd or st-flash.  [default: the first that is installed]")
@click.option("--board", help="The board's folder, where it is one of yours.")
@click.option("--dry-run", is_flag=True, help="Only print the command.")
def flash(folder: Path, tool: str | None, board: str | None, dry_run: bool) -> None:
    """Put a firmware that was built onto the board that is plugged in.

    \b
    Examples:
      edgerig firmware flash build/fw
      edgerig firmware flash build/fw --dry-run
    """
    from edgerig.boards import flash as flashing
    from edgerig.boards.board import load_board
    from edgerig.boards.firmware import read_firmware

    firmware = read_firmware(folder)
    described = load_board(board or firmware.board)
    if dry_run:
        say(shlex.join(flashing.flash_command(described, firmware, tool, installed=False)))
        return
    echo(f"done: {flashing.flash(described, firmware, tool)}")


@command.command()
@click.argument("address")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Where the server listens, on this machine.  [default: a free one]"
)
@click.option("-ex", "commands", multiple=True, help="A command for gdb once it is connected; may be repeated.")
@click.option("--batch", is_flag=True, help="End after the commands of -ex.")
@click.option("--dry-run", is_flag=True, help="Only print the commands.")
def gdb(address: str, folder: Path, port: int | None, commands: tuple[str, ...], batch: bool, dry_run: bool) -> None:
    """Debug a firmware that was built: start what holds the processor, and gdb with the symbols.

    ADDRESS is qemu:BOARD or sim:BOARD, halted before its first instruction; or the name of a board that is plugged in
    and has this firmware, by openocd, halted after a reset. With --debug-build the source is known line by line. gdb is
    gdb-multiarch or arm-none-eabi-gdb.

    \b
    Examples:
      edgerig firmware build --board mps2-an500 --model net_int8.tflite --debug-build --out build/fw
      edgerig firmware gdb qemu:mps2-an500 build/fw
      edgerig firmware gdb qemu:mps2-an500 build/fw -ex "break main" -ex continue -ex backtrace --batch
      edgerig firmware gdb sim:stm32f746 build/fw
      edgerig firmware gdb stm32f746 build/fw --dry-run
    """
    from edgerig.boards.firmware import read_firmware
    from edgerig.targets.emulated import debugger

    firmware = read_firmware(folder)
    listening = port or (debugger.PORT if dry_run else debugger.free_port())
    words = debugger.debugging(address, firmware, listening, commands, batch=batch, dry=dry_run)
    if dry_run:
        for each in words:
            say(shlex.join(each))
        return
    code = debugger.debug(words)
    if code:
        raise SystemExit(code)


@command.command()
@click.argument("address")
@click.option(
    "--model",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What to build in, where the board is simulated or emulated.",
)
@build_options
@click.option(
    "--timeout", metavar="SECONDS", type=FiniteRange(min=0, min_open=True), default=60.0, help="Seconds to an answer."
)
@click.option("--raw", is_flag=True, help="Pass on control characters as the board sends them; a terminal obeys them.")
@click.option("-c", "--command", "commands", multiple=True, help="Send this and end; may be repeated.")
def console(
    address: str, model: Path | None, timeout: float, raw: bool, commands: tuple[str, ...], **options: Any
) -> None:
    """Talk to a board's console: CMD=1 prints the network, CMD=2 runs the built-in sample layer by layer.

    With --console mlperf-tiny the board takes MLPerf Tiny's commands, such as name, profile, db load 490 and infer 1 0;
    their final % is sent for you.

    ADDRESS is sim:BOARD, qemu:BOARD or, for a real board's second line, serial:///dev/ttyUSB0. Lines are read from
    standard input until its end.

    \b
    Examples:
      edgerig firmware console sim:stm32f746 --model net_int8.tflite
      edgerig firmware console serial:///dev/ttyACM0
    """
    terminal = _terminal(address, model, timeout, options)
    show = say_raw if raw else _say_on
    if terminal.times:
        echo(terminal.times)
    try:
        show(terminal.greeting())
        if commands:
            for line in commands:
                show(f"{line}\n{terminal.ask(line)}")
            say()
            return
        talk(terminal, terminal.dialect.prompt, show)
    finally:
        terminal.close()


def _say_on(text: str) -> None:
    say(text, nl=False)


def talk(terminal: Terminal, prompt: str, show: Callable[[str], None] = _say_on) -> None:
    """Pass on lines of standard input until its end, and the answers to standard output."""
    people = sys.stdin.isatty()
    for line in sys.stdin:
        text = line.strip()
        if not text:
            show(prompt)
            continue
        if not people:
            say(text)
        show(terminal.ask(text))
        sys.stdout.flush()
    say()


def _terminal(address: str, model: Path | None, timeout: float, options: dict[str, Any]) -> Terminal:
    from edgerig.errors import UsageError
    from edgerig.targets.emulated import console as terminal
    from edgerig.targets.emulated.base import board_of

    if ":" not in address:
        _refuse_name(address)
    scheme = address.partition(":")[0]
    if scheme not in ("sim", "qemu"):
        if model is not None:
            raise UsageError(
                f"{address} has its network built in; --model is for sim: and qemu:.",
                "Build with `edgerig firmware build`, then `edgerig firmware flash`.",
            )
        dialect = terminal.COMMANDS if options["console_kind"] == "edgerig" else terminal.MLPERF_TINY
        return terminal.open_line(address, timeout, dialect)
    board = board_of(address, "unicorn" if scheme == "sim" else "qemu")
    if model is None:
        raise UsageError(f"{address} starts empty: it needs a network.", "Give one: --model net_int8.tflite")
    firmware, _ = build_with(board.name, model, None, options)
    if scheme == "sim":
        return terminal.open_simulated(firmware, timeout)
    return terminal.open_emulated(firmware, address, timeout)


def _refuse_name(board: str) -> NoReturn:
    """The name of a board alone does not say where the board is.

    Raises:
        UsageError: Names the address that is meant.
        UnknownNameError: There is no such board.
    """
    from edgerig.boards.board import load_board
    from edgerig.errors import UsageError

    described = load_board(board)
    emulated = f"{'sim' if described.simulator == 'unicorn' else 'qemu'}:{described.name}"
    raise UsageError(
        f"{board} is the name of a board; the console needs an address.",
        f"Say {emulated} for the board on this machine, or serial:///dev/ttyUSB0 for a real one's second line.",
    )
