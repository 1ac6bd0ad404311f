"""``edgerig data import FOLDER``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import echo, print_json, say
from edgerig.cli.data_options import credentials_option, made_option, note_option, repair_option

if TYPE_CHECKING:
    from edgerig.store.folders import FolderFiles


@click.command(name="folder")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="ADDRESS", help="The dataset, such as s3://lab/street or data/street.")
@click.option("--replace", is_flag=True, help="Leave out what the dataset has and FOLDER has not.  [default: it stays]")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="The split of all files.  [default: that of the folder train, validation or test that they are in]",
)
@click.option("--unlabelled", is_flag=True, help="Folders are no classes.")
@click.option("--all-files", is_flag=True, help="Take files of any kind.  [default: pictures alone]")
@click.option(
    "--skip-bad", is_flag=True, help="Leave out pictures that cannot be decoded, and count them.  [default: an error]"
)
@repair_option
@note_option
@credentials_option
@made_option
def command(
    folder: Path,
    to: str,
    replace: bool,
    split: str | None,
    unlabelled: bool,
    all_files: bool,
    skip_bad: bool,
    repair: bool,
    note: str,
    credentials: str | None,
    as_json: bool,
) -> None:
    """Make a new version out of a folder of pictures.

    The folders in FOLDER are classes where nothing lies beside them (FOLDER/car/1.png), and splits where they are
    called train, validation and test (FOLDER/train/car/1.png). A file's name in the dataset is its path in FOLDER.
    Of frames that `edgerig serve --keep` has stored, what the network said of them is taken along. Each picture is
    decoded before anything is sent; a broken one is named.

    \b
    Examples:
      edgerig data import photos --to s3://lab/street
      edgerig data import photos --to s3://lab/street --replace --note "blurred ones are out"
      edgerig data import inbox --to data/inbox --unlabelled
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.datasets.image_checks import usable
    from edgerig.datasets.images import SUFFIXES
    from edgerig.datasets.labels.problems import Problems
    from edgerig.errors import DatasetError
    from edgerig.serve.video.keep.reading import with_what_was_said
    from edgerig.store import open_dataset
    from edgerig.store.adding import add_files
    from edgerig.store.folders import folder_files

    content = folder_files(
        folder, suffixes=None if all_files else SUFFIXES, labelled=False if unlabelled else None, split=split
    )
    _say_what_is_odd(folder, content)
    problems, progress = Problems(skip=skip_bad, noun="picture"), ConsoleProgress()
    pictures = with_what_was_said(folder, usable(content.files, problems, progress))
    notes = problems.notes()
    if not pictures:
        raise DatasetError(f"{folder} has no picture that can be used.", notes[-1] if notes else None)
    for line in notes:
        echo(f"(!) {line}")
    classes = sorted({picture.label for picture in pictures if picture.label is not None})
    versions, number = open_dataset(to, writing=True, credentials=credentials)
    added = add_files(versions, pictures, classes, progress, base=number, replace=replace, repair=repair, note=note)
    print_json(added.document()) if as_json else say(added.text())


def _say_what_is_odd(folder: Path, content: FolderFiles) -> None:
    if content.skipped:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(content.skipped.items()))
        echo(f"(!) {folder}: no pictures, and left out (--all-files takes them): {kinds}")
    for first, second in content.colliding[:5]:
        echo(f"(!) {first} and {second} are one file on disks where case does not count: rename one")
    if not content.classes:
        echo(f"{folder}: no folders of classes, so the pictures have no labels")
