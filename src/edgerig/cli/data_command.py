"""``edgerig data``: datasets that several machines share, in versions."""

from __future__ import annotations

import click

from edgerig.cli.lazy_group import LazyCommands

#: Command name -> module of this package, command there, one line for --help.
COMMANDS = {
    "import": ("data_import", "command", "Make a version out of files: a folder of pictures or classes, or labels."),
    "export": ("data_export", "command", "Write a version's pictures and labels for an annotation tool."),
    "capture": ("data_capture", "capture", "Make a version out of pictures of a camera or a video."),
    "log": ("data_log", "log", "List the versions of a dataset, or the datasets of a store."),
    "diff": ("data_log", "diff", "Tell what differs between two versions."),
    "get": ("data_transfer", "get", "Fetch the files of a version into a folder."),
    "push": ("data_transfer", "push", "Copy a dataset to another store, with all of its versions."),
    "check": ("data_check", "check", "Read every byte of a version and compare it with its hash."),
}


@click.group(name="data", cls=LazyCommands, table=COMMANDS)
def command() -> None:
    """Datasets in versions that never change, in object storage or a folder.

    An address is STORE/NAME with an optional @N: s3://lab/street@7 is version 7 of `street` in the bucket `lab`,
    data/street a dataset in the folder `data`. Contents lie there once, under their SHA-256, and every byte is checked
    when it is read. Many machines may write at once.

    \b
    Examples:
      edgerig data import photos --to s3://lab/street
      edgerig data log s3://lab/street
      edgerig data diff s3://lab/street@1 s3://lab/street@2
      edgerig data get s3://lab/street@2 --to photos
      edgerig data check s3://lab/street
    """
