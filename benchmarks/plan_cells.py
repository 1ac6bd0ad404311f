"""How long does the check of a plan take, and does it grow with the cells or faster?

`edgerig run RIG --dry-run` in a process of its own, for rigs of 100 to 10,000 cells: one block whose compilers and
runtimes multiply, and one block for each cell. Goal: 10,000 cells in one block within 10 s.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgerig.testing import networks

CELLS = (100, 400, 1600, 10_000)
GOAL_SECONDS = 10.0


def one_block(cells: int) -> str:
    """A rig of so many cells (a square number) in one block."""
    side = math.isqrt(cells)
    compilers = "\n".join(f"      - {{use: int8, calibration_samples: {n + 1}}}" for n in range(side))
    runtimes = "\n".join(f"      - {{use: litert, name: r{n}}}" for n in range(side))
    return f"  - compilers:\n{compilers}\n    runtimes:\n{runtimes}\n"


def many_blocks(cells: int) -> str:
    """A rig of so many cells, each in a block of its own."""
    return "".join(
        f"  - compilers: [{{use: int8, calibration_samples: {n % 50 + 1}}}]\n"
        f"    runtimes: [{{use: litert, name: r{n}}}]\n"
        for n in range(cells)
    )


def seconds_of(matrix: str, folder: Path) -> float:
    """Wall time of one dry run, the start of the interpreter included."""
    rig = folder / "rig.yaml"
    rig.write_text(f"name: plan\nmodel: {{file: net.tflite}}\ndataset: mnist\nmatrix:\n{matrix}")
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "edgerig", "run", str(rig), "--dry-run"], check=True, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def main() -> int:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        networks.dense_tflite(folder / "net.tflite", 784, 10)
        for cells in CELLS:
            one, many = (seconds_of(make(cells), folder) for make in (one_block, many_blocks))
            rows.append({"cells": cells, "one_block": round(one, 2), "blocks_of_one": round(many, 2)})
            if "--json" not in sys.argv:
                print(f"{cells:>7,} cells: {one:6.2f} s in one block, {many:6.2f} s in a block each")
    if "--json" in sys.argv:
        print(json.dumps({"seconds": rows, "goal": GOAL_SECONDS}))
    return 0 if rows[-1]["one_block"] <= GOAL_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
