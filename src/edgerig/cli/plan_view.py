"""A plan for people and for programs."""

from __future__ import annotations

from typing import Any

from edgerig.cli.console import echo
from edgerig.spec.plan import Plan


def plan_rows(plan: Plan) -> dict[str, Any]:
    """The plan as plain values."""
    return {
        "name": plan.rig.name,
        "model": plan.rig.model.label,
        "dataset": plan.rig.dataset.use,
        "samples": plan.rig.measure.samples,
        "cells": [
            {
                "id": cell.id,
                "compilers": [part.label for part in cell.compilers],
                "runtime": cell.runtime.label,
                "target": cell.target.use,
            }
            for cell in plan.cells
        ],
    }


def show_plan(plan: Plan) -> None:
    """The plan on standard error."""
    rig = plan.rig
    train = f", trained {rig.model.train.get('epochs', 3)} epochs" if rig.model.use else ""
    samples = "all test samples" if rig.measure.samples is None else f"{rig.measure.samples} test samples a cell"
    echo(f"{rig.name}: model {rig.model.label}{train}; dataset {rig.dataset.label}; {samples}")
    width = max(len(cell.id) for cell in plan.cells)
    for cell in plan.cells:
        chain = " -> ".join([rig.model.label, *(part.label for part in cell.compilers)])
        echo(f"  {cell.id:<{width}}  {chain} | {cell.runtime.label} | {cell.target.use}")
