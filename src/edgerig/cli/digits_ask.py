"""``edgerig digits ask``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgerig.cli.options import FiniteRange


@click.command(name="ask")
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--target", required=True, metavar="ADDRESS", help="digits://HOST:PORT, serial:///dev/ttyUSB0 or sim:stm32f746."
)
@click.option(
    "--model", metavar="FILE", type=click.Path(path_type=Path), help="The network of a simulated board: a .tflite file."
)
@click.option(
    "--ink",
    type=click.Choice(["auto", "dark", "light"]),
    default="auto",
    show_default=True,
    help="What of an image is the digit; auto goes by the image's edge, which is paper.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=FiniteRange(0.1, 3600.0),
    default=10.0,
    show_default=True,
    help="Seconds that an answer may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def command(picture: Path, target: str, model: Path | None, ink: Any, timeout: float, as_json: bool) -> None:
    """Have a drawn digit recognised by a device that answers the digits' protocol.

    PICTURE is an image, which is brought to 28x28 pixels, or 784 numbers from 0 to 1: .txt, .npy, or the C header that
    the drawing page exports.

    \b
    Examples:
      edgerig digits ask --target digits://127.0.0.1:32001 seven.png
      edgerig digits ask --target sim:stm32f746 --model mnist_int8.tflite seven.png --json
      edgerig digits ask --target serial:///dev/ttyUSB0 seven.png
    """
    from edgerig.cli.console import echo, print_json, say
    from edgerig.datasets.digit_file import read_digit
    from edgerig.targets.digits_devices import open_digits

    digit = read_digit(picture, ink)
    device = open_digits(target, model, timeout)
    with device.client as client:
        stats = client.stats()
        reply = client.infer(digit)
    if as_json:
        from edgerig.measure.kinds import Measurement

        time = Measurement(value=reply.timer_ms / 1000, unit="s", kind=device.kind, method=device.method)
        print_json(
            {
                "target": target,
                "digit": reply.digit,
                "outputs": [float(output) for output in reply.outputs],
                "time": time,
                "time_ms": reply.timer_ms,
                "time_kind": device.kind,
                "time_method": device.method,
                "stats": stats.as_dict(),
            }
        )
        return
    freq = f", {stats.freq / 1e6:g} MHz" if stats.freq else ""
    echo(f"{target}: version {stats.version}{freq}, {stats.mode_name}; its time is {device.kind}: {device.method}")
    say(str(reply))
    say(f"Digit: {reply.digit}")
