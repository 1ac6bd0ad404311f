"""``edgerig digits``: drawn digits, asked and answered in FlatBuffers."""

from __future__ import annotations

import click

from edgerig.cli.digits_ask import command as ask
from edgerig.cli.digits_build import command as build
from edgerig.cli.digits_draw import command as draw
from edgerig.cli.digits_serve import command as serve
from edgerig.cli.lazy_group import Commands


@click.group(name="digits", cls=Commands)
def command() -> None:
    """Draw digits, and recognise them as clients of small devices ask for it: FlatBuffers over TCP or a serial line.

    \b
    Examples:
      edgerig digits serve --model mnist_int8.tflite
      edgerig digits ask --target digits://127.0.0.1:32001 seven.png
      edgerig digits ask --target sim:stm32f746 --model mnist_int8.tflite seven.png --json
      edgerig digits draw --model mnist_int8.tflite --target local --target sim:stm32f746
      edgerig digits build --model mnist_int8.tflite --out digits-server
    """


command.add_command(serve)
command.add_command(ask)
command.add_command(draw)
command.add_command(build)
