"""A plan, as text and as JSON."""

from __future__ import annotations

import sys
from typing import Any

from edgerig.cli.console import echo, terminal_width
from edgerig.cli.tables import Column, render_table
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.plugins import find
from edgerig.rig.plan import Plan
from edgerig.rig.types import ModelPart

INDENT = "  "
#: The columns of the table of cells; on a terminal that is too narrow for it each cell is a block.
COLUMNS = tuple(Column(name, right=False) for name in ("cell", "network", "runtime", "target"))


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
    most = rig.measure.samples
    samples = "all test samples" if most is None else f"at most {most:,} test samples a cell"
    what = "model" if len(plan.models) == 1 else f"{len(plan.models)} models:"
    names = ", ".join(_with_training(part) for part in plan.models)
    echo(f"{rig.name}: {what} {names}; dataset {rig.dataset.label}; {samples}")
    rows = [
        [
            cell.id,
            " -> ".join([cell.model, *(part.label for part in cell.compilers)]),
            cell.runtime.label,
            cell.target.use,
        ]
        for cell in plan.cells
    ]
    for line in render_table(COLUMNS, rows, terminal_width(sys.stderr) - len(INDENT)):
        echo(INDENT + line)


def _with_training(part: ModelPart) -> str:
    if not part.use:
        return part.label
    usual = find("model", part.use, ModelWrapper).usual
    epochs = {"epochs": TrainSettings().epochs, **usual, **part.train}["epochs"]
    return f"{part.label}, trained {epochs} epochs"
