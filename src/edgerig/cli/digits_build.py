"""``edgerig digits build``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command(name="build")
@click.option(
    "--model",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="A .tflite file of 784 numbers to 10, as of MNIST.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The program's file.")
@click.option(
    "--compiler",
    type=click.Choice(["auto", "ziglang", "cc"]),
    default="auto",
    show_default=True,
    help="The C compiler; auto takes pip's ziglang where it is installed, else the system's.",
)
@click.option(
    "--machine",
    metavar="TRIPLE",
    help="What the program is for, such as aarch64-linux-musl, which needs nothing there.  [default: this machine]",
)
def command(model: Path, out: Path, compiler: Any, machine: str | None) -> None:
    """Build a digits server as one program in C, with the network inside.

    It answers what `edgerig digits serve` answers, without Python: all connections in one loop for each of its
    --workers processes.

    \b
    Examples:
      edgerig digits build --model mnist_int8.tflite --out digits-server
      ./digits-server --workers 2 127.0.0.1:32001
      edgerig digits build --model mnist_int8.tflite --machine aarch64-linux-musl --out digits-server-arm
    """
    from edgerig.boards.digits_program import ProgramSettings, build_digits_program
    from edgerig.cli.console import echo
    from edgerig.models.files import open_artifact

    build_digits_program(open_artifact(model), out, ProgramSettings(compiler=compiler, machine=machine))
    echo(f"{out}: {out.stat().st_size:,} B; start it: {out.absolute()} 127.0.0.1:32001")
