"""What ``edgerig compile`` prints: files, sizes, fronts of searches, kernels; and what failed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edgerig.artifact import Artifact, sidecar_path
from edgerig.cli.console import echo, terminal_width
from edgerig.cli.explain_view import counted, counted_layers, explanation, note_lines, read_manifest
from edgerig.cli.front_view import front_lines
from edgerig.cli.tables import Column, render_table
from edgerig.compilers.chains import CompiledFile, Failure
from edgerig.compilers.sizes import HEADINGS, SizeRow, render_size_table, size_cells
from edgerig.errors import CompileError, EdgerigError, ForeignTraceback

#: The format whose layers ``--explain`` tells of.
C_SOURCE = "c-source"


def show(steps: list[CompiledFile], rows: list[SizeRow], explain: bool) -> None:
    """Files, sizes, fronts and, where asked for, kernels."""
    for step in steps:
        echo(f"{step.compiler}: {step.artifact.path}")
    if steps:
        echo()
        echo(_size_text(rows))
    _show_fronts(steps)
    if explain:
        _explain(steps)
    else:
        _show_notes(steps)


def _show_notes(steps: list[CompiledFile]) -> None:
    """What is worth knowing of generated C, which ``--explain`` tells with the rest."""
    for step in steps:
        if step.artifact.format == C_SOURCE:
            for line in note_lines(read_manifest(Path(step.artifact.path).parent)):
                echo(line)


def _show_fronts(steps: list[CompiledFile]) -> None:
    """What the searches among ``steps`` went through."""
    for step in steps:
        for line in front_lines(step.artifact, terminal_width(sys.stderr)):
            echo(line)


def _size_text(rows: list[SizeRow]) -> str:
    """The table of sizes as wide as the terminal is: where it is too narrow, a block for each file."""
    text, width = render_size_table(rows), terminal_width(sys.stderr)
    if max(map(len, text.splitlines())) <= width:
        return text
    columns = [Column(name, right=bool(name)) for name in HEADINGS]
    return "\n".join(render_table(columns, size_cells(rows), width))


def _explain(steps: list[CompiledFile]) -> None:
    """Which kernel runs each layer of generated C, and what it takes."""
    for step in steps:
        if step.artifact.format == C_SOURCE:
            echo()
            folder = Path(step.artifact.path).parent
            manifest = read_manifest(folder)
            for line in explanation(manifest, counted(folder, manifest), terminal_width(sys.stderr)):
                echo(line)


def document_of(
    source: Artifact, steps: list[CompiledFile], rows: list[SizeRow], failures: list[Failure], explain: bool
) -> dict[str, Any]:
    """The document of ``--json``; with ``explain`` it has the layers of generated C."""
    return {
        "original": source,
        "artifacts": [
            {
                "compiler": step.compiler,
                "path": step.artifact.path,
                "description": str(_description(step.artifact)),
                "bytes": step.payload,
                "seconds": step.artifact.origins[-1].seconds,
                "artifact": step.artifact,
                **(
                    {"layers": counted_layers(Path(step.artifact.path).parent)}
                    if explain and step.artifact.format == C_SOURCE
                    else {}
                ),
            }
            for step in steps
        ],
        "sizes": rows,
        "failures": failures,
    }


def _description(artifact: Artifact) -> Path:
    """Where a file's description lies; C code brings its own."""
    path = Path(artifact.path)
    return sidecar_path(path) if sidecar_path(path).is_file() else path


def error_of(failures: list[Failure]) -> EdgerigError:
    """One error that tells of all of them."""
    if len(failures) == 1:
        error = CompileError(failures[0].message, failures[0].hint)
    else:
        lines = "\n".join(f"  - {failure.compiler}: {failure.message}" for failure in failures)
        error = CompileError(f"{len(failures)} compilers failed:\n{lines}", "What the others made is kept.")
    traces = [failure.trace for failure in failures if failure.trace is not None]
    if traces:
        error.__cause__ = ForeignTraceback("\n".join(traces))
    return error
