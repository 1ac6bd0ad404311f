"""``edgerig digits``: drawn digits, asked and answered in FlatBuffers."""

from __future__ import annotations

import click

from edgerig.cli.digits_serve import command as serve


@click.group(name="digits")
def command() -> None:
    """Recognise drawn digits as the clients of small devices ask for it: FlatBuffers over TCP.

    \b
    Examples:
      edgerig digits serve --model mnist_int8.tflite
    """


command.add_command(serve)
