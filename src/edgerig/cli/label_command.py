"""``edgerig label``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from edgerig import logs
from edgerig.cli.access_options import access_options, read_token
from edgerig.cli.data_options import credentials_option
from edgerig.cli.log_options import apply_log_options

_logger = logging.getLogger(__name__)


@click.command(name="label")
@click.argument("address")
@click.option(
    "--listen",
    default="127.0.0.1:8082",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen; port 0 takes a free one.",
)
@click.option(
    "--prefill",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="MODEL",
    help="A network that proposes labels for pictures without any: of classification, segmentation or detection.",
)
@click.option(
    "--prefill-labels",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Names of the network's classes, one a line or a class dictionary, where its file does not have them.",
)
@click.option(
    "--prefill-task",
    type=click.Choice(["classification", "segmentation", "detection"]),
    help="What its outputs mean.  [default: guessed from their shapes]",
)
@click.option("--class", "classes", multiple=True, metavar="NAME", help="A further class; may be repeated.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where all that is done is written at once, until it is in the store.  "
    "[default: a folder for the dataset in labels, in EDGERIG_STATE or ~/.local/state/edgerig]",
)
@credentials_option
@click.option("--no-commit", is_flag=True, help="Write no version when it is stopped; everything stays in the journal.")
@access_options("browsers", "whose user knows")
def command(address: str, token_file: Path | None, no_commit: bool, **options: Any) -> None:
    """Label the pictures of the dataset ADDRESS on a page, until Ctrl-C.

    ADDRESS is STORE/NAME, such as data/street or s3://lab/street; edgerig data import makes one. The page is at
    http://HOST:PORT/ and needs nothing from elsewhere; several people may label at once. Every stroke is on the disk
    before the page says that it is saved; a version of the dataset is written by the button Commit, by Ctrl-S on the
    page, and when this command is stopped. Other addresses than loopback need --tls or --token-file.

    \b
    Examples:
      edgerig label data/street
      edgerig label s3://lab/street --prefill unet_int8.tflite --listen 127.0.0.1:8082
      edgerig label data/street --class car --class road
      edgerig label data/street --listen 0.0.0.0:8082 --token-file token
    """
    apply_log_options(click.get_current_context(), base=logs.VERBOSE)
    from edgerig.cli.console import say
    from edgerig.serve.labels.server import LabelServer

    server = LabelServer(address, token=read_token(token_file, options["tls"]), commit=not no_commit, **options)
    try:
        say(f"listening on {str(server.address).removeprefix('tcp://')} (http)")
        _logger.info(
            "the page: %s://%s/", "https" if options["tls"] else "http", str(server.address).removeprefix("tcp://")
        )
        _logger.info("what is done is in %s", server.journal)
        server.wait()
    except KeyboardInterrupt:
        _logger.info("stopping" if no_commit else "stopping, and writing a version")
    finally:
        server.stop()
