"""``edgerig data export``: a version as files of an annotation tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import ConsoleProgress, echo, say
from edgerig.cli.data_options import credentials_option
from edgerig.cli.lazy_group import LazyCommands
from edgerig.text import counted

if TYPE_CHECKING:
    from edgerig.datasets.labels.exporting import Write

#: Format -> module of this package, command there, one line for --help.
FORMATS = {
    "coco": ("data_export", "coco", "annotations.json in COCO's form: boxes, polygons, run lengths."),
    "voc": ("data_export", "voc", "Pascal VOC's folders: boxes in XML, masks as PNG."),
    "yolo": ("data_export", "yolo", "data.yaml and a text file a picture: boxes, polygons."),
    "label-studio": ("data_export", "label_studio", "tasks.json for Label Studio: boxes, polygons, brush masks."),
}


@click.group(name="export", cls=LazyCommands, table=FORMATS)
def command() -> None:
    """Write the pictures of a version, and their labels in the format of an annotation tool, into a folder.

    What the format cannot hold is counted.

    \b
    Examples:
      edgerig data export coco s3://lab/street@2 --to street
      edgerig data export yolo data/street --to street --split train
    """


def _common(function: Callable[..., None]) -> Callable[..., None]:
    """The arguments and options of all formats."""
    for option in (
        credentials_option,
        click.option(
            "--split", type=click.Choice(["train", "validation", "test"]), help="Only the pictures of that one."
        ),
        click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), help="A new folder."),
        click.argument("address", metavar="ADDRESS[@N]"),
    ):
        function = option(function)
    return function


@click.command()
@_common
def coco(address: str, to: Path, split: str | None, credentials: str | None) -> None:
    """Write annotations.json in COCO's form, and the pictures in images.

    \b
    Examples:
      edgerig data export coco s3://lab/street@2 --to street
      edgerig data export coco data/street --to street-test --split test
    """
    from edgerig.datasets.labels import coco as coco_format

    _export(address, to, split, credentials, coco_format.write)


@click.command()
@_common
@click.option("--boxes", is_flag=True, help="Write the box of every object instead of its outline.")
def yolo(address: str, to: Path, split: str | None, credentials: str | None, boxes: bool) -> None:
    """Write data.yaml, labels and images as YOLO's trainers take them.

    \b
    Examples:
      edgerig data export yolo s3://lab/street@2 --to street
      edgerig data export yolo data/street --to street --boxes --split train
    """
    from edgerig.datasets.labels import yolo as yolo_format

    _export(address, to, split, credentials, lambda labels, folder: yolo_format.write(labels, folder, boxes=boxes))


@click.command()
@_common
@click.option("--edges", is_flag=True, help="Boxes are coordinates of edges, from 0, as CVAT takes them.")
def voc(address: str, to: Path, split: str | None, credentials: str | None, edges: bool) -> None:
    """Write Pascal VOC's folders: Annotations, SegmentationClass, SegmentationObject, JPEGImages, and labelmap.txt.

    \b
    Examples:
      edgerig data export voc s3://lab/street@2 --to street
      edgerig data export voc data/street --to for-cvat --edges
    """
    from edgerig.datasets.labels import voc as voc_format
    from edgerig.datasets.labels import voc_writing

    write: Write = lambda labels, folder: voc_writing.write(labels, folder, edges=edges)  # noqa: E731
    _export(address, to, split, credentials, write, images=voc_format.IMAGES)


@click.command(name="label-studio")
@_common
@click.option(
    "--prefix",
    metavar="TEXT",
    help="What precedes the names in the images' addresses.  [default: those of a folder `images` that it serves]",
)
def label_studio(address: str, to: Path, split: str | None, credentials: str | None, prefix: str | None) -> None:
    """Write tasks.json to import into Label Studio, interface.xml for the project's labeling interface, and images.

    Objects with a score become predictions, others annotations.

    \b
    Examples:
      edgerig data export label-studio s3://lab/street@2 --to street
      edgerig data export label-studio data/street --to street --prefix s3://lab/photos/
    """
    from edgerig.datasets.labels import label_studio_writing
    from edgerig.datasets.labels.label_studio_names import PREFIX

    chosen = PREFIX if prefix is None else prefix
    _export(address, to, split, credentials, lambda labels, f: label_studio_writing.write(labels, f, prefix=chosen))


def _export(
    address: str, to: Path, split: str | None, credentials: str | None, write: Write, images: str = "images"
) -> None:
    from edgerig.datasets.labels.exporting import export_labels
    from edgerig.store import open_dataset

    versions, number = open_dataset(address, credentials=credentials)
    exported = export_labels(versions, number, to, write, ConsoleProgress(), images=images, split=split)
    for note in exported.notes:
        echo(f"(!) {note}")
    pictures, objects = counted(exported.images, "picture"), counted(exported.objects, "object")
    say(f"{versions.address}@{exported.version}: {pictures} with {objects} written to {to}")
