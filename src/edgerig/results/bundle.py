"""A bundle: the folder with everything one run produced.

::

    bundle.json          what is run: rig, plan, hash of both; written first
    rig.yaml             the rig file as it was given
    artifacts/           the deployed files with their descriptions
    cells/<id>/          result.json and samples.npz once its first round is finished; partial/ until then; the times
                         of later rounds in rounds/; failure.json where a round failed; layer_map.json and
                         layer_errors.json by `edgerig.results.layers`; the folder has the name of the id, or by
                         `folder_name` where the id cannot be the name of a folder
    results.json         everything, once all cells are finished
    report.html .md .json

``result.json`` is written after each round, last and atomically, so that a run that is killed at any moment loses no
finished round; a cell is finished when its result says so (`is_complete`). A file that cannot be read is reported, and
the rest of the bundle is read.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.errors import StorageError
from edgerig.measure.machine import MachineState
from edgerig.results.checks import check_cell, check_run
from edgerig.results.finite import finite
from edgerig.results.lock import FolderLock
from edgerig.results.missing_rounds import is_complete, with_missing_rounds
from edgerig.results.naming import folder_name
from edgerig.results.one_round import with_honest_intervals
from edgerig.results.reading import MAX_RESULTS, OtherVersionError, read_arrays, read_document
from edgerig.results.round_files import read_round_times, write_load_times, write_round_times
from edgerig.results.types import CellFailure, CellResult, DatasetInfo, ModelInfo, RunResult

#: How the warning ends that `Bundle.result` gives where ``results.json`` cannot be read.
OUT_OF_CELLS = "Shown is what the files of the cells hold."


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """``bundle.json``: the description of the run, before anything is measured.

    ``plan_hash`` covers rig and cells; only a run with the same one may be resumed. ``model`` and ``dataset`` are
    None until they are prepared. ``data`` is the digest of the test samples as they go into a network; ``references``
    those of the float models that predictions are compared with, by the model's name. ``commit`` is that of the user's
    own sources, where it is known (`edgerig.results.commit`).
    """

    version: int
    name: str
    edgerig: str
    created: str
    plan_hash: str
    rig: dict[str, Any]
    cells: tuple[str, ...]
    commands: tuple[str, ...] = ()
    model: ModelInfo | None = None
    models: tuple[ModelInfo, ...] = ()
    dataset: DatasetInfo | None = None
    interruptions: tuple[str, ...] = ()
    host: MachineState | None = None
    data: str | None = None
    references: dict[str, str] | None = None
    commit: str = ""


class Bundle:
    """A folder that is, or will be, a bundle.

    Args:
        path: The folder. If it is a link, the bundle is the target, and the link stays.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = FolderLock(self.path)

    # ---- paths

    @property
    def artifacts(self) -> Path:
        """Folder of the deployed files."""
        return self.path / "artifacts"

    def cell(self, identity: str) -> Path:
        """Folder of one cell."""
        return self.path / "cells" / folder_name(identity)

    def scratch(self, identity: str) -> Path:
        """Folder of the partial results of one cell; removed when the cell is finished."""
        return self.cell(identity) / "partial"

    # ---- state

    @property
    def exists(self) -> bool:
        """Whether there is a bundle here, finished or not."""
        return _is_file(self.path / "bundle.json")

    @property
    def finished(self) -> bool:
        """Whether all cells are measured."""
        return _is_file(self.path / "results.json")

    @property
    def begun(self) -> bool:
        """Whether anything is measured here, a whole cell or a part of one."""
        return any(self.path.glob("cells/*/result.json")) or any(self.path.glob("cells/*/partial/*"))

    @property
    def measured(self) -> bool:
        """Whether a round, or a portion of a first one, is measured here, from which a run of the same plan goes on."""
        return any(self.path.glob("cells/*/result.json")) or any(self.path.glob("cells/*/partial/*.npz"))

    def clear(self) -> None:
        """Remove the files of a run that measured nothing: header, artifacts, notes of failure and their report.

        Other files stay, and so does the folder if it has any.
        """
        for name in ("cells", "artifacts"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        # The header last: until then the folder can be recognized as a bundle.
        for name in ("rig.yaml", "report.html", "report.md", "report.json", "bundle.json"):
            (self.path / name).unlink(missing_ok=True)

    def lock(self) -> None:
        """Lock the folder against other runs until this process ends.

        Raises:
            UsageError: Another run is writing here.
        """
        self._lock.acquire()

    def unlock(self) -> None:
        """Release the lock."""
        self._lock.release()

    @property
    def locked(self) -> bool:
        """Whether this object holds the lock of the folder that is there now."""
        return self._lock.held

    def check_place(self) -> None:
        """Check that the folder that this object has locked, if any, is still there.

        Raises:
            StorageError: It was moved or removed meanwhile.
        """
        self._lock.check()

    def archive(self) -> Path:
        """Move a finished bundle aside, to ``<path>.1``, ``.2`` and so on; returns its new path.

        Where ``path`` is a link, its target is moved, so that the next run uses the same disk. The new, empty folder in
        its place is locked before another process can use it.

        Raises:
            UsageError: Another run is writing here.
        """
        return self._lock.move_aside()

    def put_back(self, old: Path) -> bool:
        """Undo `archive`, if nothing was added to the folder since, and unlock; returns whether it was undone."""
        return self._lock.move_back(old)

    # ---- content

    def write_header(self, header: Header) -> None:
        """Write ``bundle.json``."""
        self.check_place()
        files.write_json(self.path / "bundle.json", header)

    def header(self) -> Header:
        """Read ``bundle.json``.

        Raises:
            StorageError: It is missing, of another version, or damaged.
        """
        return read_document(self.path / "bundle.json", Header, self.path)

    def write_cell(self, result: CellResult, arrays: dict[str, NDArray[Any]]) -> CellResult:
        """Store a cell after its first round: raw samples first, then the result that marks it as measured.

        Returns:
            The stored result: ``result`` without numbers that JSON cannot represent, see `finite`.

        Raises:
            InferenceError: The result has such a number where no replacement is possible; nothing is stored.
            StorageError: The disk is full, or the folder cannot be written, or was moved or removed meanwhile.
        """
        result = finite(result)
        self.check_place()
        folder = self.cell(result.id)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        files.write_bytes(folder / "samples.npz", buffer.getvalue())
        files.write_json(folder / "result.json", result)
        (folder / "failure.json").unlink(missing_ok=True)
        shutil.rmtree(self.scratch(result.id), ignore_errors=True)
        return result

    def write_round(self, result: CellResult, times_ns: NDArray[np.int64]) -> CellResult:
        """Store one more round of a cell, the last of ``result.rounds``, with its raw times.

        Returns, Raises:
            As `write_cell`.
        """
        result = finite(result)
        self.check_place()
        folder = self.cell(result.id)
        write_round_times(folder, result.rounds[-1].number, times_ns)
        files.write_json(folder / "result.json", result)
        (folder / "failure.json").unlink(missing_ok=True)
        return result

    def write_load(self, identity: str, number: int, arrays: dict[str, NDArray[np.int64]]) -> None:
        """Store the raw times under load of round ``number`` of a cell, before the round itself is written."""
        self.check_place()
        write_load_times(self.cell(identity), number, arrays)

    def round_times(self, cell: CellResult, limit: int | None = None) -> tuple[NDArray[np.int64], ...]:
        """On-device times in ns of each round's inferences, shape (m,) each, in order; an older bundle has one round.

        Args:
            cell: The result with its rounds.
            limit: Largest size of all of them, in bytes.

        Raises:
            StorageError: A file is gone or damaged, or larger than ``limit``.
        """
        numbers = [entry.number for entry in cell.rounds] or [1]
        return read_round_times(self.cell(cell.id), numbers, self.path, limit)

    def write_failure(self, failure: CellFailure) -> None:
        """Store why a cell could not be measured."""
        self.check_place()
        files.write_json(self.cell(failure.id) / "failure.json", failure)

    def read_cell(self, identity: str) -> CellResult | None:
        """A finished cell's result, or None if it is not finished.

        Raises:
            StorageError: It exists and cannot be read.
        """
        path = self.cell(identity) / "result.json"
        if not path.exists():
            return None
        result = read_document(path, CellResult, self.path)
        check_cell(result, path)
        if result.id != identity:
            raise StorageError(f"{path} is of another cell, {result.id!r}.", "Measure the cell again.")
        return result

    def read_failure(self, identity: str) -> CellFailure | None:
        """Why a cell could not be measured, or None if there is no readable note."""
        path = self.cell(identity) / "failure.json"
        try:
            return read_document(path, CellFailure, self.path) if path.exists() else None
        except StorageError:
            return None

    def read_cells(self, identities: Iterable[str]) -> tuple[list[CellResult], list[CellFailure]]:
        """The cells that have at least one round, and why others lack rounds, as far as that is known.

        A cell whose result cannot be read is among the failures, with the reason. A cell that lacks rounds has a
        warning about it.
        """
        cells, failures = [], []
        for identity in identities:
            try:
                cell = self.read_cell(identity)
            except StorageError as error:
                failures.append(CellFailure(id=identity, error="StorageError", message=error.message, time=""))
                continue
            failure = self.read_failure(identity) if cell is None or not is_complete(cell) else None
            cells += [with_missing_rounds(cell, failure)] if cell is not None else []
            failures += [failure] if failure is not None else []
        return cells, failures

    def samples(
        self, identity: str, names: tuple[str, ...] | None = None, limit: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """A finished cell's raw arrays: ``times_ns`` and ``indices``, of a classifier ``predictions``, ``labels`` and
        ``scores``; what other tasks keep has names that begin with ``kept_``.

        Args:
            identity: The cell's id.
            names: The arrays to read; by default all.
            limit: Largest size of all of them in bytes, as in `read_arrays`.

        Raises:
            StorageError: The file is gone or damaged, or would take more memory than any cell's.
        """
        return read_arrays(self.cell(identity) / "samples.npz", self.path, names, limit)

    def write_result(self, result: RunResult) -> None:
        """Write ``results.json``; the bundle is finished."""
        self.check_place()
        files.write_json(self.path / "results.json", result)

    def result(self) -> RunResult:
        """The whole result of the run; of an unfinished one the result so far, with ``finished`` None.

        If ``results.json`` cannot be read, the content of the cells' own files, with a warning about it.

        Raises:
            StorageError: This is no bundle, or it is damaged or of another version.
        """
        if not self.finished:
            return self.partial()
        try:
            return self.whole()
        except OtherVersionError:
            raise
        except StorageError as error:
            if not self.exists:
                raise
            result = self.partial()
            warning = f"{error.message} {OUT_OF_CELLS}"
            return msgspec.structs.replace(result, warnings=(*result.warnings, warning))

    def whole(self) -> RunResult:
        """``results.json``.

        Raises:
            StorageError: It is missing, or cannot be read.
        """
        path = self.path / "results.json"
        result = read_document(path, RunResult, self.path, MAX_RESULTS)
        check_run(result, path)
        return with_honest_intervals(result)

    def partial(self) -> RunResult:
        """A result of the cells that are finished so far, and of those that failed.

        Raises:
            StorageError: This is no bundle, or nothing in it was measured or tried yet.
        """
        header = self.header()
        cells, failures = self.read_cells(header.cells)
        host = cells[0].machine if cells else header.host
        if not (cells or failures) or host is None or header.model is None or header.dataset is None:
            raise StorageError(f"No cell of the bundle {self.path} is finished yet.", "Run it with --resume.")
        result = RunResult(
            name=header.name,
            version=header.version,
            edgerig=header.edgerig,
            created=header.created,
            finished=None,
            model=header.model,
            models=header.models,
            dataset=header.dataset,
            host=host,
            cells=tuple(cells),
            failures=tuple(failures),
            commands=header.commands,
            interruptions=header.interruptions,
            planned=header.cells,
        )
        return with_honest_intervals(result)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise StorageError(f"{path.parent} cannot be a folder: {error.strerror}.", "Give another one.") from error
