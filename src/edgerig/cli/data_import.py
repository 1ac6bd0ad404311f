"""``edgerig data import``: a table of kinds of what is imported, each with a command of its own."""

from __future__ import annotations

import click

from edgerig.cli.lazy_group import LazyCommands

#: Kind -> module of this package, command there, one line for --help. The first is meant where none is named.
KINDS = {
    "folder": ("data_import_folder", "command", "A folder of pictures, or of folders of them by class."),
    "coco": ("data_import_labels", "coco", "Pictures and labels in COCO's JSON."),
    "voc": ("data_import_labels", "voc", "Pictures and labels in Pascal VOC's folders."),
    "yolo": ("data_import_labels", "yolo", "Pictures and labels in YOLO's text files."),
    "label-studio": ("data_import_labels", "label_studio", "Pictures and labels that Label Studio has exported."),
}


class _Kinds(LazyCommands):
    """The kinds; without one, what follows is a folder."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*KINDS, "-h", "--help"):
            args = ["folder", *args]
        return super().parse_args(ctx, args)


@click.group(name="import", cls=_Kinds, table=KINDS)
def command() -> None:
    """Make a new version of a dataset out of files.

    Without a KIND, what follows is a folder (`edgerig data import folder --help`). What is in the store whole is not
    sent again, so that an import that was stopped goes on where it was.

    \b
    Examples:
      edgerig data import photos --to s3://lab/street
      edgerig data import coco annotations.json --images val --classes classes.json --to s3://lab/street
      edgerig data import folder photos --to data/street --replace --note "relabelled by Kim"
    """
