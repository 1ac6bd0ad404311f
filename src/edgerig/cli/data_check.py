"""``edgerig data check``."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from edgerig.cli.console import echo, print_json, say
from edgerig.cli.data_options import credentials_option


@click.command()
@click.argument("address", metavar="ADDRESS")
@click.option("--all", "every_version", is_flag=True, help="All versions.  [default: the one that ADDRESS names]")
@click.option("--against", metavar="ADDRESS", help="Compare the pictures with those of this version instead.")
@click.option(
    "--samples", type=click.IntRange(min=10), default=2000, show_default=True, help="With --against: pictures."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="With --against: the page to write.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print what was read and what is damaged, or with --against the differences, as one JSON document.",
)
@credentials_option
def check(
    address: str,
    every_version: bool,
    against: str | None,
    samples: int,
    out: Path | None,
    as_json: bool,
    credentials: str | None,
) -> None:
    """Read every byte of a version and compare it with its hash; by default of the newest version.

    What is truncated, changed or missing is named, with the entries that need it, and the command fails.

    With --against: tell how far its pictures, and what a network said of them, are from those of another version, by
    differences with intervals: brightness, contrast, saturation, warmth, size; confidences and predicted classes where
    entries have them; and of labels, where both have some, the objects of a picture, sizes and forms of boxes, and the
    share of each class of pictures, objects and pixels. --out writes a page with histograms.

    \b
    Examples:
      edgerig data check s3://lab/street@7
      edgerig data check data/street --all
      edgerig data check s3://lab/inbox --against s3://lab/street@7 --out drift.html
    """
    from edgerig.errors import UsageError

    if against is not None:
        if every_version:
            raise UsageError("--all and --against do not go together.", "Name the versions: ADDRESS@N.")
        _compare(address, against, samples, out, as_json=as_json)
        return
    if out is not None:
        raise UsageError("--out goes with --against.", "Name the version to compare with.")
    _check_bytes(address, credentials, every_version=every_version, as_json=as_json)


def _check_bytes(address: str, credentials: str | None, *, every_version: bool, as_json: bool) -> None:
    from edgerig.cli.console import ConsoleProgress
    from edgerig.errors import StoreError
    from edgerig.store import open_dataset
    from edgerig.store.checking import check_contents
    from edgerig.text import counted

    versions, number = open_dataset(address, credentials=credentials)
    numbers = versions.numbers() if every_version else [number]
    read = [versions.read(each) for each in numbers or [None]]
    checked = check_contents(versions.store, read, ConsoleProgress())
    if as_json:
        numbers_read = [version.version for version in read]
        print_json({"address": versions.address, "versions": numbers_read, **msgspec.structs.asdict(checked)})
    for damage in () if as_json else checked.damages:
        say(f"{damage.reason}\n  needed by {damage.users()}")
    summary = f"{counted(checked.objects, 'object')}, {checked.bytes:,} bytes"
    if checked.damages:
        raise StoreError(
            f"{len(checked.damages):,} of {summary} are not what they should be.",
            "Send them again from where they are whole: edgerig data import --repair, or edgerig data push --repair.",
        )
    if not as_json:
        say(f"{versions.address}: {summary}, all as they should be")


def _compare(address: str, against: str, samples: int, out: Path | None, *, as_json: bool) -> None:
    from edgerig import files
    from edgerig.cli.console import ConsoleProgress
    from edgerig.datasets.stored.drift import shifts
    from edgerig.datasets.stored.looks import looks_of
    from edgerig.datasets.stored.pin import pin
    from edgerig.report.drift import render_drift, sentence
    from edgerig.text import counted

    progress = ConsoleProgress()
    later, earlier = (looks_of(pin(each, None), samples, progress) for each in (address, against))
    differences = shifts(earlier, later)
    if out is not None:
        files.write_text(out, render_drift(earlier, later, differences))
        echo(f"Page: {out}")
    if as_json:
        print_json({"earlier": earlier.address, "later": later.address, "shifts": differences})
        return
    say(f"{later.address} ({counted(later.pictures, 'picture')}) against {earlier.address} ({earlier.pictures:,})")
    for shift in differences:
        say(f"  {sentence(shift)}", fg="yellow" if shift.drifted else None)
    drifted = [shift.name for shift in differences if shift.drifted]
    say(f"Drifted: {', '.join(drifted)}" if drifted else "Nothing has drifted.")
