"""``edgerig serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgerig import logs
from edgerig.cli.log_options import apply_log_options
from edgerig.cli.options import find_here
from edgerig.cli.serve_options import serve_until_stopped, serving_options, start_server
from edgerig.cli.serve_video import video_options, video_way


@click.command(name="serve")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen for HTTP; port 0 takes a free one.",
)
@click.option(
    "--page-target",
    "page_targets",
    multiple=True,
    metavar="ADDRESS",
    help="A further target that the page to draw digits on offers, such as sim:stm32f746; may be repeated.",
)
@video_options
@serving_options
def command(model: Path, stop_within: float, page_targets: tuple[str, ...], **options: Any) -> None:
    """Let others ask the network MODEL, until Ctrl-C.

    Clients speak the Open Inference Protocol (KServe v2), over HTTP at --listen and over gRPC at the next port. At
    http://HOST:PORT/ is a page: to draw on for a network of digits, to drop pictures on for another one of images.
    Other addresses than loopback need --tls or --token-file. Once it listens, a line `listening on ADDRESS` for each
    port goes to standard output; everything else to standard error.

    \b
    Examples:
      edgerig serve mnist_int8.tflite
      edgerig serve net.tflite --listen 127.0.0.1:8080 --sessions 4
      edgerig serve net.onnx --target tcp://raspberrypi:7433
      edgerig serve net.tflite --listen 0.0.0.0:8080 --token-file token
      edgerig serve mobilenet.tflite --labels labels.txt
      edgerig serve unet.tflite --video street.mp4 --listen 127.0.0.1:8081
      edgerig serve net.tflite --video /dev/video0 --labels labels.txt --keep frames --keep-rule uncertain:0.6
    """
    apply_log_options(click.get_current_context(), base=logs.VERBOSE)
    from edgerig.serve.server import default_ways

    find_here(*page_targets)
    video, view = video_way(options)
    ways = default_ways(page_targets, view)
    if video is not None:
        ways = (video, *ways)
    serve_until_stopped(lambda: start_server(model, ways=ways, **options), stop_within)
