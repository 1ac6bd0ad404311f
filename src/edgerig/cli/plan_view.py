"""A plan, as text and as JSON."""

from __future__ import annotations

from typing import Any

from edgerig.cli.console import echo
from edgerig.rig.plan import Plan
from edgerig.rig.types import ModelPart


def plan_rows(plan: Plan) -> dict[str, Any]:
    """The plan as plain values."""
    return {
        "name": plan.rig.name,
        "model": plan.rig.models[0].label,
        "models": [part.label for part in plan.models],
        "dataset": plan.rig.dataset.use,
        "samples": plan.rig.measure.samples,
        "cells": [
            {
                "id": cell.id,
                "model": cell.model,
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
    samples = "all test samples" if rig.measure.samples is None else f"{rig.measure.samples} test samples a cell"
    what = "model" if len(plan.models) == 1 else f"{len(plan.models)} models:"
    names = ", ".join(_with_training(part) for part in plan.models)
    echo(f"{rig.name}: {what} {names}; dataset {rig.dataset.label}; {samples}")
    width = max(len(cell.id) for cell in plan.cells)
    for cell in plan.cells:
        chain = " -> ".join([cell.model, *(part.label for part in cell.compilers)])
        echo(f"  {cell.id:<{width}}  {chain} | {cell.runtime.label} | {cell.target.use}")


def _with_training(part: ModelPart) -> str:
    return f"{part.label}, trained {part.train.get('epochs', 3)} epochs" if part.use else part.label
