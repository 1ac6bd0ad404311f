"""A bundle before and after a run: created, resumed, or restored."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edgerig import __version__, files
from edgerig.datasets.base import Dataset
from edgerig.errors import StorageError, UsageError
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle, Header
from edgerig.results.commit import current_commit
from edgerig.results.lock import LOCK
from edgerig.results.types import BUNDLE_VERSION
from edgerig.rig.dump import rig_to_builtins, rig_to_yaml
from edgerig.rig.plan import Plan
from edgerig.rig.types import Rig


def dataset_of(rig: Rig) -> Dataset:
    """A rig's dataset, judged by the rig's task if it names one."""
    dataset = make("dataset", rig.dataset.use, Dataset, rig.dataset.options)
    if rig.task is not None:
        dataset.task, dataset.task_options = rig.task.use, rig.task.options
    return dataset


def claim_bundle(bundle: Bundle, plan: Plan, *, resume: bool) -> None:
    """Lock a folder that this run may write to. Nothing in it is changed yet.

    What cannot be gone on with, or has measured nothing, is in nobody's way: it will be moved aside.

    Raises:
        UsageError: Another run writes there; or the folder holds an unfinished run of the same plan, or with ``resume``
            one of another plan.
        StorageError: The folder exists and is no bundle, or cannot be written.
    """
    refuse_foreign_folder(bundle)
    # Lock before looking at the folder: another run may be writing there.
    bundle.lock()
    refuse_foreign_folder(bundle)
    if not bundle.exists or not (bundle.begun or bundle.finished):
        return
    if resume:
        check_same_plan(bundle, plan)
    elif not bundle.finished and bundle.measured and _has_same_plan(bundle, plan):
        raise UsageError(
            f"{bundle.path} holds a run that is not finished.", "Go on with --resume, or choose another --out."
        )


def open_bundle(bundle: Bundle, plan: Plan, *, command: str) -> Header:
    """The header of a bundle that is ready to be written to: a new one, or that of the resumed run.

    Raises:
        UsageError: It holds a run of another plan.
        StorageError: It cannot be written.
    """
    if bundle.exists and (bundle.begun or bundle.finished):
        header = check_same_plan(bundle, plan)
        header = msgspec.structs.replace(header, interruptions=(*header.interruptions, f"resumed at {now()}"))
        bundle.write_header(header)
        return header
    bundle.clear()
    header = Header(
        version=BUNDLE_VERSION,
        name=plan.rig.name,
        edgerig=__version__,
        created=now(),
        plan_hash=_plan_hash(plan),
        rig=rig_to_builtins(plan.rig),
        cells=tuple(cell.id for cell in plan.cells),
        commands=(command,) if command else (),
        commit=current_commit(),
    )
    bundle.write_header(header)
    files.write_text(bundle.path / "rig.yaml", rig_to_yaml(plan.rig))
    return header


def take_back(bundle: Bundle, moved: Path | None, progress: Progress, *, opened: bool) -> None:
    """After a failure before the first cell: restore the folder to what it was before the run.

    Args:
        moved: Where the finished bundle that was there was moved to, if there was one.
        opened: Whether the run had written to the folder, see `open_bundle`.
    """
    if not bundle.locked or (opened and (bundle.begun or any(bundle.path.glob("cells/*/failure.json")))):
        return
    if opened:
        bundle.clear()
    if moved is None:
        bundle.unlock()
        with contextlib.suppress(OSError):
            bundle.path.resolve().rmdir()
    elif bundle.put_back(moved):
        progress.log(f"the bundle that was in {bundle.path} is there again")


def check_same_plan(bundle: Bundle, plan: Plan) -> Header:
    """The header of a bundle, checked to be of the same plan.

    Raises:
        UsageError: It is of another plan.
    """
    header = bundle.header()
    if header.version != BUNDLE_VERSION:
        raise UsageError(
            f"{bundle.path} was begun by an earlier edgerig, which measured each cell in one round: it can be read, "
            "but not be gone on with.",
            "Choose another --out.",
        )
    if header.plan_hash != _plan_hash(plan):
        raise UsageError(
            f"{bundle.path} holds a run of another rig or selection; it cannot be resumed with this one.",
            "Resume with the same rig file, --set and --only, or choose another --out.",
        )
    return header


def _has_same_plan(bundle: Bundle, plan: Plan) -> bool:
    """Whether a bundle is of this plan, so that it could be gone on with."""
    try:
        check_same_plan(bundle, plan)
    except (UsageError, StorageError):
        return False
    return True


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def refuse_foreign_folder(bundle: Bundle) -> None:
    """Refuse a folder that exists and is no bundle. A locked folder is checked later, once this run holds the lock.

    Raises:
        StorageError: It is no bundle; nothing in it was touched.
    """
    path = bundle.path
    if bundle.exists or not path.exists() or (not bundle.locked and (path / LOCK).exists()):
        return
    if not path.is_dir() or any(inside.name != LOCK for inside in path.iterdir()):
        raise StorageError(f"{path} exists and is no bundle.", "Choose another --out; nothing was touched.")


def _plan_hash(plan: Plan) -> str:
    return files.digest([rig_to_builtins(plan.rig), [cell.id for cell in plan.cells]])
