"""The front of a search for mixed precision on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from edgerig.artifact import Artifact
from edgerig.cli.tables import Column, render_table
from edgerig.compilers.mixed_search import Step
from edgerig.compilers.sizes import about_mixed_size


def front_lines(artifact: Artifact, width: int) -> Iterator[str]:
    """The steps of a search, out of an artifact's record; nothing where it was made without one."""
    options: dict[str, Any] = artifact.origins[-1].options
    if "front" not in options:
        return
    steps = msgspec.convert(options["front"], tuple[Step, ...])
    yield ""
    yield (
        f"Mixed precision within {options['budget']}, on {steps[0].samples:,} samples of the validation split, where "
        f"the float network is right for {options['float_accuracy']:.2%}:"
    )
    columns = [
        Column("also float", right=False),
        *(Column(name, right=True) for name in ("accuracy", "points", "bytes", "int8 MACs")),
    ]
    rows = [
        [
            step.layer or "(all int8)",
            f"{step.accuracy:.2%}",
            f"{step.change * 100:+.2f} ({step.low * 100:+.2f} to {step.high * 100:+.2f})",
            f"{step.bytes:,}",
            f"{step.int8_macs:.1%}",
        ]
        for step in steps
    ]
    yield from render_table(columns, rows, width)
    if -steps[-1].low > float(options["margin"]):
        yield "The interval reaches beyond the budget: more samples (--option mixed.validation_samples=N) would tell."
    note = about_mixed_size(artifact)
    if note:
        yield f"(!) {note}"
