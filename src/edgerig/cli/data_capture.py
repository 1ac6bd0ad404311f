"""``edgerig data capture``."""

from __future__ import annotations

from typing import Literal

import click

from edgerig.cli.console import say
from edgerig.cli.data_options import credentials_option, note_option
from edgerig.cli.options import old_option


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--to", required=True, metavar="ADDRESS", help="The dataset, such as s3://lab/inbox or data/inbox.")
@click.option(
    "--every", default="1s", show_default=True, metavar="TIME", help="Between two pictures at least: 500ms, 2s."
)
@click.option("--when-changed", is_flag=True, help="Only pictures that differ from the one that was taken before.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many pictures.  [default: at the end, Ctrl-C]")
@click.option("--for", "duration", metavar="TIME", help="Stop after that time, such as 600s.")
@click.option("--camera", default="", metavar="NAME", help="Its name in the names of pictures.  [default: of SOURCE]")
@old_option("--format", "--picture-format", since="0.1", ends="0.3", type=click.Choice(["jpg", "png"]))
@click.option(
    "--picture-format",
    type=click.Choice(["jpg", "png"]),
    default="jpg",
    show_default=True,
    help="Of the stored pictures: png loses nothing, jpg is smaller.",
)
@note_option
@credentials_option
def capture(
    source: str,
    to: str,
    every: str,
    when_changed: bool,
    count: int | None,
    duration: str | None,
    camera: str,
    picture_format: Literal["jpg", "png"],
    note: str,
    credentials: str | None,
) -> None:
    """Put pictures of a camera or a video into a new version of a dataset.

    SOURCE is a camera (/dev/video0), rtsp://.., http://.. (MJPEG), or a file, of which the video's own time counts. A
    camera that goes away is opened again. Pictures are stored on this machine until they are in the store, so that
    nothing is lost without a network: they go with the next capture. Each entry says its camera, frame and time.

    \b
    Examples:
      edgerig data capture /dev/video0 --every 1s --when-changed --to s3://lab/inbox
      edgerig data capture rtsp://camera.lab/live --every 10s --for 3600s --to data/inbox
      edgerig data capture street.mp4 --every 500ms --to data/street
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.errors import UsageError
    from edgerig.rig.load import parse_seconds
    from edgerig.serve.video.capture.choosing import Choice
    from edgerig.serve.video.capture.run import capture as run
    from edgerig.serve.video.sources import source_of
    from edgerig.store import open_dataset
    from edgerig.store.names import fault_of
    from edgerig.text import counted

    try:
        distance = parse_seconds(every, "--every")
        seconds = parse_seconds(duration, "--for") if duration is not None else None
    except ValueError as error:
        raise UsageError(f"{error}.") from None
    if camera and (fault := fault_of(camera)) is not None:
        raise UsageError(f"--camera {camera!r} {fault}.")
    video = source_of(source, every=True, again=False)
    if video is None:
        raise UsageError(
            "A browser's camera cannot be captured.", "Serve it instead: edgerig serve --video browser --keep."
        )
    versions, number = open_dataset(to, writing=True, credentials=credentials)
    if number is not None:
        raise UsageError(f"{to} names a version, and a new one gets the next number.", f"Give --to {versions.address}.")
    choice = Choice(every=distance, when_changed=when_changed, most=count)
    captured = run(
        video, versions, choice, ConsoleProgress(), name=camera, format=picture_format, seconds=seconds, note=note
    )
    say(f"{counted(captured.pictures, 'picture')} of {video.shown}, {captured.sent:,} sent")
    if captured.added is not None:
        say(captured.added.text().splitlines()[0])
