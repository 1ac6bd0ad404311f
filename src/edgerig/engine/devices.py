"""The devices of a plan: all are checked before any work starts, and all are released at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgerig.errors import EdgerigError, TargetError
from edgerig.measure.machine import MachineState, cores_text
from edgerig.progress import Progress
from edgerig.rig.load import LOADED
from edgerig.rig.plan import Plan, part_key
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for
from edgerig.text import cause_of


@contextlib.contextmanager
def opened_devices(plan: Plan, progress: Progress) -> Iterator[dict[str, Target]]:
    """All devices of ``plan`` by `part_key`, checked; released at the end.

    Raises:
        TargetError: A device is not there, or its answer cannot be understood.
    """
    targets: dict[str, Target] = {}
    with contextlib.ExitStack() as stack:
        for cell in plan.cells:
            key = part_key(cell.target)
            if key not in targets:
                target = target_for(cell.target.use, cell.target.options)
                target.log = progress.log
                stack.callback(_close, target, progress)
                state = _check(target, cell.target.use)
                if plan.rig.measure.scenario in LOADED:
                    target.allow_sessions(plan.rig.measure.streams or 1)
                progress.log(f"target {cell.target.use}: {state.cpu}, {cores_text(state)}, {state.system}")
                targets[key] = target
        yield targets


def _check(target: Target, address: str) -> MachineState:
    """The state of a device; the error names the device whose answer cannot be understood."""
    try:
        return target.check()
    except (EdgerigError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise TargetError(
            f"{address} cannot be asked for its state: unexpected {cause_of(error)}.",
            "Is it an agent of this version of edgerig?",
        ) from error


def _close(target: Target, progress: Progress) -> None:
    """Release a device. A failure to do so is only logged: everything is measured by then."""
    try:
        target.close()
    except Exception as error:
        progress.log(f"target {target.address}: closing it failed: {cause_of(error)}")
