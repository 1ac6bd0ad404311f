"""A bundle: the folder with everything one run produced.

::

    bundle.json          what is run: rig, plan, hash of both; written first
    rig.yaml             the rig file as it was given
    artifacts/           the deployed files with their descriptions
    cells/<id>/          result.json and samples.npz once finished; partial/ until then; or failure.json
    results.json         everything, once all cells are finished
    report.html .md .json

A cell is finished when its ``result.json`` is there; it is written last and in one step, so a run that is killed
at any moment loses no finished cell.
"""

from __future__ import annotations

import fcntl
import io
import os
import shutil
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.errors import StorageError, UsageError, storing
from edgerig.results.types import BUNDLE_VERSION, CellFailure, CellResult, DatasetInfo, ModelInfo, RunResult

T = TypeVar("T")


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """``bundle.json``: what the run is, before anything is measured.

    ``plan_hash`` covers rig and cells; only a run with the same one may be resumed. ``model`` and ``dataset`` are
    None until they are prepared.
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


class Bundle:
    """A folder that is, or will be, a bundle."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    # ---- where things lie

    @property
    def artifacts(self) -> Path:
        """Folder of the deployed files."""
        return self.path / "artifacts"

    def cell(self, identity: str) -> Path:
        """Folder of one cell."""
        return self.path / "cells" / identity

    def scratch(self, identity: str) -> Path:
        """Folder of what one cell has measured so far; gone when the cell is finished."""
        return self.cell(identity) / "partial"

    # ---- state

    @property
    def exists(self) -> bool:
        """Whether there is a bundle here, finished or not."""
        return (self.path / "bundle.json").is_file()

    @property
    def finished(self) -> bool:
        """Whether all cells are measured."""
        return (self.path / "results.json").is_file()

    @property
    def begun(self) -> bool:
        """Whether anything is measured here, be it a whole cell or a part of one."""
        return any(self.path.glob("cells/*/result.json")) or any(self.path.glob("cells/*/partial/*"))

    def clear(self) -> None:
        """Take away what a run wrote that measured nothing: header, artifacts and notes of failure.

        Reports and files that are not the run's own stay, and so does the folder if it holds such.
        """
        for name in ("cells", "artifacts"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in ("rig.yaml", "bundle.json"):
            (self.path / name).unlink(missing_ok=True)

    def lock(self) -> None:
        """Keep a second run out of this folder until this process ends.

        Raises:
            UsageError: Another run is at work here.
        """
        if self._lock is not None:
            return
        with storing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise UsageError(
                f"Another run is writing to {self.path}.", "Wait for it, or choose another --out."
            ) from error
        self._lock = handle

    def unlock(self) -> None:
        """Let others in again."""
        if self._lock is not None:
            (self.path / ".lock").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    @property
    def locked(self) -> bool:
        """Whether this object keeps others out."""
        return self._lock is not None

    def archive(self) -> Path:
        """Move a finished bundle aside, to ``<path>.1``, ``.2`` and so on; returns where it went."""
        number = 1
        while (old := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        with storing(old):
            self.path.rename(old)
        return old

    # ---- content

    def write_header(self, header: Header) -> None:
        """Write ``bundle.json``."""
        files.write_json(self.path / "bundle.json", header)

    def header(self) -> Header:
        """Read ``bundle.json``.

        Raises:
            StorageError: There is none, or it is of another version or damaged.
        """
        return _read(self.path / "bundle.json", Header, self.path)

    def write_cell(self, result: CellResult, arrays: dict[str, NDArray[Any]]) -> None:
        """Store one finished cell: raw samples first, then the result that marks it finished."""
        folder = self.cell(result.id)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        files.write_bytes(folder / "samples.npz", buffer.getvalue())
        files.write_json(folder / "result.json", result)
        (folder / "failure.json").unlink(missing_ok=True)
        shutil.rmtree(self.scratch(result.id), ignore_errors=True)

    def write_failure(self, failure: CellFailure) -> None:
        """Store why a cell could not be measured."""
        files.write_json(self.cell(failure.id) / "failure.json", failure)

    def read_cell(self, identity: str) -> CellResult | None:
        """A finished cell's result, or None if it is not finished."""
        path = self.cell(identity) / "result.json"
        return _read(path, CellResult, self.path) if path.is_file() else None

    def read_failure(self, identity: str) -> CellFailure | None:
        """Why a cell could not be measured, or None if there is no such note."""
        path = self.cell(identity) / "failure.json"
        return _read(path, CellFailure, self.path) if path.is_file() else None

    def samples(self, identity: str) -> dict[str, NDArray[Any]]:
        """A finished cell's raw arrays: ``times_ns``, ``predictions``, ``labels``, ``indices``, ``scores``.

        Raises:
            StorageError: The file is gone or damaged.
        """
        path = self.cell(identity) / "samples.npz"
        try:
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        except Exception as error:
            raise StorageError(f"{path} cannot be read: {error}.", "Measure the cell again.") from error

    def write_result(self, result: RunResult) -> None:
        """Write ``results.json``; the bundle is finished."""
        files.write_json(self.path / "results.json", result)

    def result(self) -> RunResult:
        """Everything the run produced; what there is so far, with ``finished`` None, if it is not finished.

        Raises:
            StorageError: This is no bundle, or it is damaged or of another version.
        """
        if self.finished:
            return _read(self.path / "results.json", RunResult, self.path)
        return self.partial()

    def partial(self) -> RunResult:
        """A result out of the cells that are finished so far.

        Raises:
            StorageError: This is no bundle, or nothing in it is measured yet.
        """
        header = self.header()
        cells = tuple(cell for identity in header.cells if (cell := self.read_cell(identity)) is not None)
        failures = tuple(f for identity in header.cells if (f := self.read_failure(identity)) is not None)
        if not cells or header.model is None or header.dataset is None:
            raise StorageError(f"No cell of the bundle {self.path} is finished yet.", "Run it with --resume.")
        return RunResult(
            name=header.name, version=header.version, edgerig=header.edgerig, created=header.created, finished=None,
            model=header.model, models=header.models, dataset=header.dataset,
            host=cells[0].machine, cells=cells, failures=failures,
            commands=header.commands, interruptions=header.interruptions, planned=header.cells,
        )  # fmt: skip


def _read(path: Path, kind: type[T], bundle: Path) -> T:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"{bundle} is not a bundle: {path.name} is missing.", "Give the folder that `edgerig run --out` wrote."
        ) from error
    try:
        version = msgspec.json.decode(data, type=dict).get("version", BUNDLE_VERSION)
        if version != BUNDLE_VERSION:
            raise StorageError(
                f"{path} was written by another version of edgerig (layout {version}, this one reads {BUNDLE_VERSION})."
            )
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{path} is damaged: {error}.", "Measure again into another folder.") from error
