"""``edgerig history``: the index with what is new taken up, and the commands about recorded tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.console import ConsoleProgress, echo

if TYPE_CHECKING:
    from edgerig.results.history.store import History
    from edgerig.results.tests.history import TestHistory
    from edgerig.results.tests.record import RecordedTest

runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="The folder of the bundles, and of the index.",
)
tests_option = click.option(
    "--tests",
    multiple=True,
    metavar="ADDRESS",
    help="Where `edgerig test --history` recorded tests; may be repeated.  [default: the folder tests in --runs]",
)


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@runs_option
@tests_option
@click.option("--name", metavar="NAME", help="Only tests of that name.")
def export(file: Path, runs: Path, tests: tuple[str, ...], name: str | None) -> None:
    """Write the recorded tests as one JSON list to FILE, such as tests.json, the oldest first.

    Each row has date, name, description, model, accuracy, class_similarity, similarity, confusion, images, "image time"
    (seconds), "batch size", "store address", "test bucket" and platform, and under "edgerig" the whole record.

    \b
    Examples:
      edgerig history export tests.json
      edgerig history export tests.json --tests s3://lab/tests --name nightly
    """
    from edgerig.results.tests.tests_json import export_tests

    chosen = [record for record in read_tests(_addresses(runs, tests)) if name in (None, record.name)]
    count = export_tests(sorted(chosen, key=lambda record: record.date), file)
    echo(f"{count:,} tests in {file}")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--history",
    default="runs/tests",
    show_default=True,
    metavar="ADDRESS",
    help="The history that takes them up: a folder, or an address in a store.",
)
def import_(file: Path, history: str) -> None:
    """Take up the tests of FILE, a tests.json as mllib writes it or `edgerig history export` wrote it.

    Rows that are no tests are named and left out. Importing a file twice changes nothing.

    \b
    Examples:
      edgerig history import tests.json
      edgerig history import tests.json --history s3://lab/tests
    """
    from edgerig.results.tests.history import open_history
    from edgerig.results.tests.tests_json import import_tests

    records = list(import_tests(file, _left_out))
    opened = open_history(history, writing=True)
    present = set(opened.names())
    with ConsoleProgress().task("import", len(records)) as task:
        for record in records:
            opened.append(record)
            task.advance(1)
    echo(f"{len(set(opened.names()) - present):,} of {len(records):,} tests are new in {history}")


@click.command("send")
@click.option("--history", metavar="ADDRESS", help="Only what is for that history.  [default: all]")
def send(history: str | None) -> None:
    """Send the tests that are kept on this machine because their history could not be reached.

    \b
    Examples:
      edgerig history send
      edgerig history send --history s3://lab/tests
    """
    from edgerig.errors import StorageError
    from edgerig.results.tests.unsent import UnsentTests, open_to_write, unsent_addresses

    addresses = [history] if history is not None else unsent_addresses()
    errors = []
    for address in addresses:
        unsent = UnsentTests(address)
        sent, failed = list[str](), list[StorageError]()
        try:
            if unsent.names():
                delivery = unsent.send(open_to_write(unsent.address))
                sent, failed = delivery.sent, delivery.failed
        except StorageError as error:
            failed = [error]
        if sent or not failed:
            echo(f"{len(sent):,} sent to {unsent.address}")
        if failed:
            echo(f"(!) {len(unsent.names()):,} stay in {unsent.folder}: {failed[0].message}")
            errors.extend(failed)
    if not addresses:
        echo("No test waits.")
    if errors:
        raise errors[0]


def updated(runs: Path, tests: Sequence[str] = ()) -> History:
    """The history with what is new taken up; an index that cannot be written is read as it is, and made in memory where
    there is none to be read.

    Args:
        runs: Folder of the bundles and of the index.
        tests: Addresses of recorded tests, beside those in ``runs``.
    """
    from edgerig.errors import StorageError
    from edgerig.results.history.store import History, cannot_be_written

    history = History(runs)
    try:
        _update(history, _addresses(runs, tests))
    except StorageError as error:
        if not cannot_be_written(error) or _has_runs(history):
            echo(f"(!) The history is as it was: {error.message}")
            return history
        echo(f"(!) The history is of the bundles in {runs}, and is not kept: {error.message}")
        history = History(runs, in_memory=True)
        _update(history, _addresses(runs, tests))
    return history


def _update(history: History, addresses: Sequence[str]) -> None:
    history.update(echo)
    for tests in _opened(addresses):
        history.update_tests(tests, _left_out)


def read_tests(addresses: Sequence[str]) -> Iterator[RecordedTest]:
    """The tests of all addresses; files that are no records are named and left out."""
    for tests in _opened(addresses):
        for _, record in tests.read(say=_left_out):
            yield record


def _opened(addresses: Sequence[str]) -> Iterator[TestHistory]:
    from edgerig.results.tests.history import open_history

    return (open_history(address) for address in addresses)


def _addresses(runs: Path, tests: Sequence[str]) -> list[str]:
    from edgerig.results.tests.history import TESTS

    return list(tests) or [str(runs / TESTS)]


def _left_out(text: str) -> None:
    echo(f"(!) {text}")


def _has_runs(history: History) -> bool:
    """Whether the index can be read, and knows some run."""
    from edgerig.errors import StorageError

    try:
        return bool(history.runs())
    except StorageError:
        return False
