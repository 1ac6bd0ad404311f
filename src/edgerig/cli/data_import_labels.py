"""``edgerig data import coco|voc|yolo|label-studio``: labels of annotation tools, with their pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from edgerig.cli.console import ConsoleProgress, echo, print_json, say
from edgerig.cli.data_options import credentials_option, made_option, note_option, repair_option
from edgerig.cli.option_group import option_group
from edgerig.text import counted

if TYPE_CHECKING:
    from edgerig.datasets.labels.classes import ClassMapping
    from edgerig.datasets.labels.shapes import LabelSet


class _Options(msgspec.Struct, frozen=True):
    """What the commands have in common; see `_common`."""

    to: str
    images: Path | None
    classes: Path | None
    unknown: Literal["error", "ignore"]
    split: str | None
    exif: Literal["upright", "stored"] | None
    skip_bad: bool
    replace: bool
    repair: bool
    note: str
    credentials: str | None
    as_json: bool


_COMMON = [
    click.option("--to", required=True, metavar="ADDRESS", help="The dataset, such as s3://lab/street or data/street."),
    click.option("--images", type=click.Path(path_type=Path), help="The folder of the pictures."),
    click.option(
        "--classes",
        type=click.Path(path_type=Path),
        help="JSON that says the class of each category: a class dictionary, a list of names, or names with numbers.  "
        "[default: categories are classes]",
    ),
    click.option(
        "--unknown",
        type=click.Choice(["error", "ignore"]),
        default="error",
        show_default=True,
        help="What becomes of objects that --classes does not name; ignore: their pixels are not judged.",
    ),
    click.option("--split", type=click.Choice(["train", "validation", "test"]), help="The split of all pictures."),
    click.option(
        "--exif",
        type=click.Choice(["upright", "stored"]),
        help="What labels are of where a picture's EXIF orientation turns it.  [default: as sizes tell, else an error]",
    ),
    click.option("--skip-bad", is_flag=True, help="Leave out what cannot be used, and count it.  [default: an error]"),
    click.option(
        "--replace", is_flag=True, help="Leave out what the dataset has and this has not.  [default: it stays]"
    ),
    repair_option,
    note_option,
    credentials_option,
    made_option,
]


def _common(function: Callable[..., None]) -> Callable[..., None]:
    """The options that all kinds of labels have, as one argument ``options``."""

    def with_options(**values: Any) -> None:
        own = {name: values.pop(name) for name in _Options.__struct_fields__}
        function(**values, options=_Options(**own))

    with_options.__doc__ = function.__doc__
    return option_group(*_COMMON)(with_options)


@click.command()
@click.argument("annotations", type=click.Path(path_type=Path))
@_common
def coco(annotations: Path, options: _Options) -> None:
    """Make a new version out of pictures and labels in COCO's JSON: boxes, polygons and run lengths.

    \b
    Examples:
      edgerig data import coco annotations.json --images val --classes classes.json --to s3://lab/street
      edgerig data import coco instances_train.json --images train --split train --to data/street
    """
    from edgerig.datasets.labels import coco as coco_format

    labels = coco_format.read(annotations, skip=options.skip_bad)
    _import(labels, options.images or annotations.parent / "images", options, ids=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_common
def yolo(folder: Path, options: _Options) -> None:
    """Make a new version out of pictures and labels in YOLO's text files: boxes and polygons.

    FOLDER holds data.yaml or classes.txt, the pictures in images, and for each a file in labels, or all in one.

    \b
    Examples:
      edgerig data import yolo street --to s3://lab/street
      edgerig data import yolo street --images street/images/val --split validation --to data/street
    """
    from edgerig.datasets.labels import yolo as yolo_format

    mapping = _mapping(options.classes)
    names = mapping.classes if mapping is not None else ()
    images = options.images or yolo_format.images_folder(folder)
    labels = yolo_format.read(folder, images=images, names=names, exif=options.exif, skip=options.skip_bad)
    _import(labels, images, options)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--edges", is_flag=True, help="Boxes are coordinates of edges, from 0.  [default: numbers of pixels, from 1]"
)
@_common
def voc(folder: Path, edges: bool, options: _Options) -> None:
    """Make a new version out of pictures and labels in Pascal VOC's folders: boxes, masks of classes and objects.

    FOLDER holds JPEGImages, Annotations (XML) or SegmentationClass and SegmentationObject (PNG), and perhaps
    labelmap.txt. CVAT's boxes are coordinates of edges: --edges.

    \b
    Examples:
      edgerig data import voc VOC2012 --classes names.json --to s3://lab/voc
      edgerig data import voc from-cvat --edges --to data/street
    """
    from edgerig.datasets.labels import voc as voc_format

    mapping = _mapping(options.classes)
    images = options.images or folder / voc_format.IMAGES
    names = mapping.classes if mapping is not None else ()
    labels = voc_format.read(folder, images=images, names=names, edges=edges, skip=options.skip_bad)
    _import(labels, images, options)


@click.command(name="label-studio")
@click.argument("export", type=click.Path(path_type=Path))
@click.option("--predictions", is_flag=True, help="Read what networks predict instead of what annotators say.")
@click.option(
    "--prefix",
    default=None,
    metavar="TEXT",
    help="What precedes the names in the images' addresses, such as s3://lab/.",
)
@_common
def label_studio(export: Path, predictions: bool, prefix: str | None, options: _Options) -> None:
    """Make a new version out of pictures and labels that Label Studio has exported as JSON.

    Boxes, polygons and brush masks are read; ellipses and other kinds of regions are refused by their name. A picture
    is called as its address ends.

    \b
    Examples:
      edgerig data import label-studio export.json --images photos --to s3://lab/street
      edgerig data import label-studio export.json --images photos --prefix s3://lab/photos/ --to data/street
    """
    from edgerig.datasets.images import image_size
    from edgerig.datasets.labels import label_studio as label_studio_format
    from edgerig.datasets.labels.label_studio_names import PREFIX

    images = options.images or export.parent / "images"
    labels = label_studio_format.read(
        export,
        sizes=lambda name: image_size(images / name),
        prefix=PREFIX if prefix is None else prefix,
        predictions=predictions,
        skip=options.skip_bad,
    )
    _import(labels, images, options)


def _mapping(path: Path | None) -> ClassMapping | None:
    from edgerig.datasets.labels.classes import read_classes

    return None if path is None else read_classes(path)


def _import(labels: LabelSet, images: Path, options: _Options, *, ids: bool = False) -> None:
    """Import labels; ``ids`` tells whether the ids of their categories are those of an annotation tool."""
    from edgerig.datasets.labels import classes
    from edgerig.datasets.labels.importing import import_labels
    from edgerig.store import open_dataset

    mapping = _mapping(options.classes) or classes.of_labels(labels)
    info = classes.class_info(mapping, labels, numbered=ids and options.classes is None)
    labels = classes.apply(mapping, labels, options.unknown)
    versions, number = open_dataset(options.to, writing=True, credentials=options.credentials)
    imported = import_labels(
        versions,
        labels,
        images,
        ConsoleProgress(),
        base=number,
        replace=options.replace,
        repair=options.repair,
        note=options.note,
        split=options.split,
        exif=options.exif,
        skip=options.skip_bad,
        numbered=options.classes is not None,
        class_info=info,
    )
    for note in imported.notes:
        echo(f"(!) {note}")
    if options.as_json:
        print_json({**imported.added.document(), "objects": imported.objects, "classes": mapping.classes})
        return
    say(f"{imported.added.text()}\n{counted(imported.objects, 'object')}; classes: {', '.join(mapping.classes)}")
