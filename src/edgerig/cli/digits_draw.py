"""``edgerig digits draw``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="draw")
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE", help="The network to ask.  [default: none]")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="ADDRESS",
    help="Where it runs: local, tcp://HOST:PORT, sim:stm32f746; may be repeated, for a choice.  [default: local]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="DIRECTORY",
    help="Where pictures are saved.  [default: the current folder]",
)
def command(model: Path | None, targets: tuple[str, ...], out: Path) -> None:
    """Open a window to draw digits in, and see what the network sees and says.

    Draw with the mouse; or with the keys: arrows move the pen, Space puts it down and lifts it, Backspace takes back a
    stroke, Delete clears. Control-t, Control-p and Control-h save the picture as text, PNG and C header. Without
    --model the window draws and saves only. In a browser the same is at the address of `edgerig serve`.

    \b
    Examples:
      edgerig digits draw --model mnist_int8.tflite
      edgerig digits draw --model mnist_int8.tflite --target local --target sim:stm32f746
      edgerig digits draw --out drawings
    """
    from contextlib import ExitStack

    from edgerig.cli.options import find_here
    from edgerig.errors import UsageError
    from edgerig.serve.desktop_screen import open_screen

    if targets and model is None:
        raise UsageError("--target says where a network runs, and there is none.", "Name it with --model.")
    find_here(*targets)
    with ExitStack() as stack:
        screen = stack.enter_context(open_screen())
        asker = None
        if model is not None:
            from edgerig.serve.digit_asker import DigitAsker

            asker = stack.enter_context(DigitAsker(model, targets or ("local",)))
        screen.show(asker, out)
