"""What a rig leaves open of its dataset is settled when the run begins, and stays settled when it goes on."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from edgerig.datasets.base import Dataset
from edgerig.errors import StorageError
from edgerig.plugins import find, make
from edgerig.results.bundle import Bundle
from edgerig.rig.plan import Plan


def pinned(plan: Plan, resumed: Bundle | None) -> Plan:
    """A plan whose dataset has the settings that name the same samples forever, such as the number of a version.

    Args:
        resumed: The bundle of the run that goes on; what it settled on stays.

    Raises:
        EdgerigError: The dataset's source is not there.
    """
    part = plan.rig.dataset
    options = _of_bundle(resumed, part.use, part.options) if resumed is not None else None
    if options is None:
        options = {**part.options, **make("dataset", part.use, Dataset, part.options).pinned()}
    if options == part.options:
        return plan
    dataset = msgspec.structs.replace(part, options=options)
    return msgspec.structs.replace(plan, rig=msgspec.structs.replace(plan.rig, dataset=dataset))


def _of_bundle(bundle: Bundle, use: str, options: dict[str, Any]) -> dict[str, Any] | None:
    """The settings in a bundle that a run has begun; None where it has none that these could have become."""
    if not bundle.exists or not (bundle.begun or bundle.finished):
        return None
    with contextlib.suppress(StorageError):
        part = bundle.header().rig.get("dataset", {})
        settled: dict[str, Any] = part.get("options", {})
        if part.get("use") == use and find("dataset", use, Dataset).unpinned(settled) == options:
            return settled
    return None
