"""``edgerig data log`` and ``edgerig data diff``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import print_json, say, terminal_width
from edgerig.cli.data_options import credentials_option

if TYPE_CHECKING:
    from edgerig.store import Entry, Header, Store

#: Entries that a difference lists by default.
_LISTED = 50


@click.command()
@click.argument("address", metavar="ADDRESS")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON document.")
@credentials_option
def log(address: str, as_json: bool, credentials: str | None) -> None:
    """List the versions of a dataset, the newest first; of a store, its datasets.

    \b
    Examples:
      edgerig data log s3://lab/street
      edgerig data log s3://lab
    """
    from edgerig.errors import NoDatasetError, UsageError
    from edgerig.store import Versions, open_store, parse_address

    try:
        parsed = parse_address(address)
    except UsageError:
        # What looks like a version is meant as one, where there is no folder of that name.
        if "@" in address.rpartition("/")[2] and not Path(address).is_dir():
            raise
        _log_store(open_store(address, credentials=credentials), as_json)
        return
    versions = Versions(open_store(parsed.store, credentials=credentials), parsed.name)
    try:
        headers = [each for each in versions.headers() if parsed.version in (None, each.version)]
    except NoDatasetError:
        # A store may be called as a dataset is: s3://lab/cameras.
        if not _is_store(address, credentials):
            raise
        _log_store(open_store(address, credentials=credentials), as_json)
        return
    if not headers:
        versions.read(parsed.version)
    if as_json:
        print_json(headers)
        return
    _print_headers(headers)


@click.command()
@click.argument("earlier", metavar="EARLIER")
@click.argument("later", metavar="LATER")
@click.option("--all", "everything", is_flag=True, help=f"List all entries.  [default: the first {_LISTED}]")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON document.")
@credentials_option
def diff(earlier: str, later: str, everything: bool, as_json: bool, credentials: str | None) -> None:
    """Tell what differs between two versions, which may lie in two stores.

    + are entries that only LATER has, - those that only EARLIER has, ~ those that differ, with what does.

    \b
    Examples:
      edgerig data diff s3://lab/street@1 s3://lab/street@2
      edgerig data diff data/street@2 s3://lab/street --json
    """
    from edgerig.store import difference, open_dataset

    sides = []
    for address in (earlier, later):
        versions, number = open_dataset(address, credentials=credentials)
        sides.append(versions.read(number))
    change = difference(sides[0].entries, sides[1].entries)
    if as_json:
        classes = {"earlier": sides[0].classes, "later": sides[1].classes}
        print_json({"added": change.added, "removed": change.removed, "changed": change.changed, "classes": classes})
        return
    lines = [f"+ {_described(entry)}" for entry in change.added]
    lines += [f"- {_described(entry)}" for entry in change.removed]
    lines += [f"~ {old.name}: {_changes(old, new)}" for old, new in change.changed]
    for line in lines if everything else lines[:_LISTED]:
        say(line)
    if len(lines) > _LISTED and not everything:
        say(f".. and {len(lines) - _LISTED:,} more (--all)")
    if sides[0].classes != sides[1].classes:
        say(f"classes: {', '.join(sides[0].classes) or 'none'} -> {', '.join(sides[1].classes) or 'none'}")
    say(f"{len(change.added):,} added, {len(change.removed):,} removed, {len(change.changed):,} changed")


def _is_store(address: str, credentials: str | None) -> bool:
    from edgerig.errors import StoreError
    from edgerig.store import dataset_names, open_store

    try:
        return bool(dataset_names(open_store(address, credentials=credentials)))
    except StoreError:
        return False


def _log_store(store: Store, as_json: bool) -> None:
    from edgerig.store import DatasetAddress, Versions, dataset_names

    newest = [Versions(store, name).headers()[-1] for name in dataset_names(store)]
    names = dataset_names(store)
    if as_json:
        print_json(dict(zip(names, newest, strict=True)))
        return
    if not names:
        say(f"There is no dataset in {store.address} yet.")
        return
    for name, header in zip(names, newest, strict=True):
        say(f"{DatasetAddress(store.address, name, header.version)}  {_count(header)}  {_date(header)}  {header.note}")


def _print_headers(headers: list[Header]) -> None:
    from edgerig.cli.tables import Column, render_table

    columns = (
        Column("version"),
        Column("date", right=False),
        Column("files"),
        Column("bytes", rank=3),
        Column("added", rank=1),
        Column("changed", rank=1),
        Column("removed", rank=1),
        Column("classes", rank=2),
        Column("note", right=False),
    )
    rows = [
        [
            str(header.version),
            _date(header),
            f"{header.count:,}",
            f"{header.size:,}",
            f"{header.added:,}",
            f"{header.changed:,}",
            f"{header.removed:,}",
            str(len(header.classes)),
            header.note or "-",
        ]
        for header in reversed(headers)
    ]
    for line in render_table(columns, rows, terminal_width(sys.stdout)):
        say(line)


def _count(header: Header) -> str:
    from edgerig.text import counted

    return counted(header.count, "file")


def _date(header: Header) -> str:
    return header.date[:19].replace("T", " ")


def _described(entry: Entry) -> str:
    return f"{entry.name}{f' ({entry.label})' if entry.label is not None else ''}"


def _changes(old: Entry, new: Entry) -> str:
    """What differs between two entries of one name, in words."""
    parts = ["other content"] if old.sha256 != new.sha256 else []
    parts += [
        f"{field} {getattr(old, field) or 'none'} -> {getattr(new, field) or 'none'}"
        for field in ("label", "split")
        if getattr(old, field) != getattr(new, field)
    ]
    if old.annotation != new.annotation:
        parts.append("no annotation" if new.annotation is None else "another annotation")
    parts += [
        f"{key} {old.extra.get(key, 'none')} -> {new.extra.get(key, 'none')}"
        for key in sorted({*old.extra, *new.extra})
        if old.extra.get(key) != new.extra.get(key)
    ]
    return ", ".join(parts)
