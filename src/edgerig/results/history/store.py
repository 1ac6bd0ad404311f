"""The index: a SQLite file beside the indexed bundles. It has no data that is not in them.

Bundles are found by searching the folder, not by registration: damage to this file at any moment loses no result.
Names of baselines are in a separate file (``baselines.json``), which is no index and is kept.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.errors import NoBundleError, StorageError, UnknownNameError, UsageError
from edgerig.results.history.entries import FigureEntry, RunEntry, entry_of, stamp_of
from edgerig.results.history.tests import (
    BUNDLE_IS_THERE,
    FIGURE_OF_BUNDLE_IS_THERE,
    IS_TEST,
    entry_of_test,
    is_test,
    stamp_of_test,
)
from edgerig.results.tests.history import TestHistory

#: Default folder of bundles.
RUNS = Path("runs")
INDEX, NAMES = "history.sqlite", "baselines.json"
#: Version of the tables; an index of another version is rebuilt.
VERSION = 1
#: Seconds to wait for another process that writes.
_BUSY = 10.0
#: Seconds between two tries where SQLite does not wait.
_AGAIN = 0.01
_UNWRITABLE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR})
_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, bundle TEXT UNIQUE NOT NULL, stamp TEXT NOT NULL, rig TEXT NOT NULL, created TEXT NOT NULL,
    commit_id TEXT NOT NULL, edgerig TEXT NOT NULL, dataset TEXT NOT NULL
);
CREATE TABLE figures (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, cell TEXT NOT NULL, device TEXT NOT NULL,
    metric TEXT NOT NULL, value REAL NOT NULL, unit TEXT NOT NULL, kind TEXT NOT NULL, low REAL, high REAL,
    PRIMARY KEY (run, cell, metric)
) WITHOUT ROWID;
CREATE INDEX runs_by_rig ON runs (rig, created);
"""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One run's value in a series."""

    bundle: str
    created: str
    commit: str
    value: float
    low: float | None
    high: float | None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one cell on one device over all runs of a rig, in the order of time."""

    rig: str
    cell: str
    device: str
    metric: str
    unit: str
    kind: str
    points: tuple[Point, ...]


class History:
    """The index of the bundles in one folder.

    Args:
        folder: Folder of the bundles, and of the index.
        in_memory: Whether the index is made anew in memory, for a folder that cannot be written.

    Raises:
        StorageError: The index cannot be read or written; no bundle is touched.
    """

    def __init__(self, folder: Path = RUNS, *, in_memory: bool = False) -> None:
        self.folder = folder
        self._memory = sqlite3.connect(":memory:", isolation_level=None) if in_memory else None

    # ---- the index

    def update(self, say: Callable[[str], None] = lambda text: None) -> int:
        """Index every finished bundle in the folder that is new or was written again.

        Args:
            say: Receives a message about each bundle that cannot be read; the others are indexed.

        Returns:
            The number of indexed bundles.
        """
        if not self.folder.is_dir():
            return 0
        with self._opened() as index:
            known = dict(index.execute("SELECT bundle, stamp FROM runs"))
            count = 0
            for path in sorted(self.folder.glob("**/bundle.json")):
                bundle = path.parent.resolve()
                if known.get(str(bundle)) == stamp_of(bundle) or stamp_of(bundle) is None:
                    continue
                if (bundle.parent / "comparison.json").exists():
                    continue  # measured once, for its quality: its times are those of the pairs beside it
                try:
                    self._store(index, entry_of(bundle))
                except StorageError as error:
                    say(f"{bundle} is left out: {error.message}")
                    continue
                count += 1
        return count

    def update_tests(self, tests: TestHistory, say: Callable[[str], None] = lambda text: None) -> int:
        """Index the tests of a history that are new there; files that are created once need no second look.

        Args:
            tests: The history.
            say: Receives a message about each file that is no record of a test.

        Returns:
            The number of indexed tests.

        Raises:
            StorageError: The index cannot be written, or the history not be read.
        """
        names = tests.names()
        if not names:
            return 0
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._opened() as index:
            known = set(index.execute(f"SELECT bundle, stamp FROM runs WHERE {IS_TEST}"))
            new = [name for name in names if (f"{tests.address}/{name}", stamp_of_test(name)) not in known]
            count = 0
            for name, record in tests.read(new, say):
                self._store(index, entry_of_test(tests.address, name, record))
                count += 1
        return count

    def rebuild(self, say: Callable[[str], None] = lambda text: None) -> int:
        """Make the index anew out of the bundles that are there; runs whose bundles are gone are forgotten.

        A file that can be used is emptied and not removed: others may have it open.
        """
        if not self.folder.is_dir():
            return 0
        try:
            with self._opened() as index, _transaction(index):
                index.execute("DELETE FROM runs")
        except StorageError as error:
            if getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    (self.folder / f"{INDEX}{suffix}").unlink()
        return self.update(say)

    def add(self, bundle: Path) -> None:
        """Index one bundle, wherever it is; again, if it is indexed already."""
        entry = entry_of(bundle)
        with self._opened() as index:
            self._store(index, entry)

    def runs(self, rig: str | None = None) -> list[RunEntry]:
        """All runs, the latest first, without their figures."""
        where = "AND rig = ?" if rig is not None else ""
        query = (
            "SELECT bundle, stamp, rig, created, commit_id, edgerig, dataset FROM runs "
            f"WHERE NOT {BUNDLE_IS_THERE} {where} ORDER BY created DESC, id DESC"
        )
        rows = self._rows(query, (rig,) if rig is not None else ())
        return [
            RunEntry(
                bundle=row[0], stamp=row[1], rig=row[2], created=row[3], commit=row[4], edgerig=row[5], dataset=row[6]
            )
            for row in rows
        ]

    def series(self, rig: str | None = None, metric: str | None = None) -> list[Series]:
        """Every metric of every cell over time, oldest first; those of one rig or metric only, if given."""
        conditions = [("runs.rig = ?", rig), ("figures.metric = ?", metric)]
        wanted = [(text, value) for text, value in conditions if value is not None]
        where = "".join(f"AND {text} " for text, _ in wanted)
        query = (
            "SELECT rig, cell, device, metric, unit, kind, bundle, created, commit_id, value, low, high "
            f"FROM figures JOIN runs ON runs.id = figures.run WHERE NOT {FIGURE_OF_BUNDLE_IS_THERE} {where}"
            "ORDER BY rig, cell, device, metric, unit, kind, created, runs.id"
        )
        grouped: dict[tuple[Any, ...], list[Point]] = {}
        for row in self._rows(query, tuple(value for _, value in wanted)):
            point = Point(bundle=row[6], created=row[7], commit=row[8], value=row[9], low=row[10], high=row[11])
            grouped.setdefault(row[:6], []).append(point)
        return [
            Series(
                rig=key[0], cell=key[1], device=key[2], metric=key[3], unit=key[4], kind=key[5], points=tuple(points)
            )
            for key, points in grouped.items()
        ]

    # ---- baselines

    def baselines(self) -> dict[str, str]:
        """Name to folder of each baseline."""
        path = self.folder / NAMES
        if not path.exists():
            return {}
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError) as error:
            raise StorageError(f"{path} cannot be read: {error}.", "Name the baselines again.") from error

    def name(self, name: str, bundle: Path) -> None:
        """Assign ``name`` to ``bundle``, replacing a former assignment.

        Raises:
            UsageError: The name could be mistaken for a folder. StorageError: There is no finished bundle.
        """
        if not name or "/" in name or name in (".", "..") or not name.isprintable():
            raise UsageError(f"{name!r} cannot be the name of a baseline.", "Use letters, digits, dots and dashes.")
        if stamp_of(bundle) is None:
            raise NoBundleError(f"{bundle} holds no finished run.", "Give the folder that `edgerig run --out` wrote.")
        files.write_json(self.folder / NAMES, self.baselines() | {name: str(bundle.resolve())})

    def baseline(self, text: str) -> Path:
        """The bundle of ``text``: a folder, or the name of a baseline.

        Raises:
            UnknownNameError: It is neither.
        """
        known = self.baselines()
        if text in known:
            return Path(known[text])
        if Path(text).is_dir():
            return Path(text)
        raise UnknownNameError("baseline", text, [*known, "a bundle's folder"])

    # ---- inside

    def _store(self, index: sqlite3.Connection, entry: RunEntry) -> None:
        """One run, whole or not at all; in place of what stood for its folder, or of itself before it was moved."""
        same_run = index.execute(
            "SELECT bundle FROM runs WHERE rig = ? AND created = ? AND commit_id = ? AND bundle != ? "
            f"AND NOT {IS_TEST}",
            (entry.rig, entry.created, entry.commit, entry.bundle),
        )
        moved = [] if is_test(entry) else [bundle for (bundle,) in same_run.fetchall() if not Path(bundle).is_dir()]
        replaced = [entry.bundle, *moved]
        with _transaction(index):
            index.executemany("DELETE FROM runs WHERE bundle = ?", [(bundle,) for bundle in replaced])
            cursor = index.execute(
                "INSERT INTO runs (bundle, stamp, rig, created, commit_id, edgerig, dataset) VALUES (?,?,?,?,?,?,?)",
                (entry.bundle, entry.stamp, entry.rig, entry.created, entry.commit, entry.edgerig, entry.dataset),
            )
            index.executemany(
                "INSERT OR REPLACE INTO figures VALUES (?,?,?,?,?,?,?,?,?)",
                [(cursor.lastrowid, *_row(figure)) for figure in entry.figures],
            )

    def _rows(self, query: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        if self._memory is None and not (self.folder / INDEX).exists():
            return []
        with self._opened() as index:
            return index.execute(query, tuple(values)).fetchall()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / INDEX
        index: sqlite3.Connection | None = None
        try:
            index = self._memory or sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
            index.execute("PRAGMA foreign_keys = ON")
            if _version(index) == 0:
                _log_ahead(index)
                _make_tables(index)
            if _version(index) != VERSION:
                raise StorageError(
                    f"{path} was written by another version of edgerig.", "Make it anew: edgerig history rebuild"
                )
            yield index
        except sqlite3.Error as error:
            raise StorageError(
                f"{path} cannot be used: {error}.",
                "No result is lost: the bundles are as they were. Free some space, or make the index anew with "
                "`edgerig history rebuild`.",
            ) from error
        finally:
            if index is not None and index is not self._memory:
                index.close()


def cannot_be_written(error: StorageError) -> bool:
    """Whether an index is not to be had because its folder cannot be written, rather than because it is damaged."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    # The low byte of an extended code is its class.
    return code is not None and code & 0xFF in _UNWRITABLE


def _version(index: sqlite3.Connection) -> int:
    return int(index.execute("PRAGMA user_version").fetchone()[0])


def _log_ahead(index: sqlite3.Connection) -> None:
    """Have a new index write ahead; for this switch SQLite itself does not wait for others that use the file."""
    end = time.monotonic() + _BUSY
    while True:
        try:
            index.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(_AGAIN)


def _make_tables(index: sqlite3.Connection) -> None:
    """The tables of a new index, unless another process has just made them."""
    with _transaction(index):
        if _version(index) == 0:
            for statement in _TABLES.split(";"):
                index.execute(statement)
            index.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def _transaction(index: sqlite3.Connection) -> Iterator[None]:
    """Runs the block as a transaction."""
    index.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            index.execute("ROLLBACK")
        raise
    index.execute("COMMIT")


def _row(figure: FigureEntry) -> tuple[object, ...]:
    return (
        figure.cell,
        figure.device,
        figure.metric,
        figure.value,
        figure.unit,
        figure.kind,
        figure.low,
        figure.high,
    )
