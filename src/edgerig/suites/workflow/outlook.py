"""What a run of a workflow would do, without doing it."""

from __future__ import annotations

from pathlib import Path

from edgerig.cache import StageCache
from edgerig.suites.workflow.lookup import Lookup, NotDoneError
from edgerig.suites.workflow.records import stored_record
from edgerig.suites.workflow.types import Workflow
from edgerig.suites.workflow.workspace import Workspace


def outlook(workflow: Workflow, cache: StageCache, out: Path) -> dict[str, str]:
    """For each step in words: ``run it``, ``find it unchanged``, ``skip it``, or ``run it if its inputs change``."""
    lookup = Lookup(workflow, cache, Workspace(out))
    states: dict[str, str] = {}
    for name, step in workflow.steps.items():
        if not step.holds:
            states[name] = f"skip it: not so: {step.when}"
            continue
        if any(states[need] in ("run it", "run it if its inputs change") for need in step.needs):
            # A step before it may give the same result again.
            states[name] = "run it if its inputs change"
            continue
        try:
            keys = lookup.inputs(step).keys
        except NotDoneError:
            states[name] = "run it"
            continue
        unchanged = not step.always and stored_record(cache, keys.full) is not None
        states[name] = "find it unchanged" if unchanged else "run it"
    return states
