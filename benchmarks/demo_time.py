"""Wall time of the demo from a finished install, with an empty cache and once more with a full one.

python benchmarks/demo_time.py [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgerig.measure.machine import observe

GOAL_S = 120.0
RIG = Path(__file__).parent.parent / "examples" / "mnist" / "rig.yaml"


def demo(folder: Path, out: str) -> dict[str, float]:
    """Seconds that the demo takes, and the accuracy of its float and int8 cells."""
    command = [sys.executable, "-m", "edgerig", "run", str(RIG), "--out", str(folder / out), "--json"]
    environment = {**os.environ, "EDGERIG_CACHE": str(folder / "cache")}
    start = time.monotonic()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    seconds = time.monotonic() - start
    cells = {cell["id"]: cell["quality"]["metrics"][0]["value"] for cell in json.loads(done.stdout)["cells"]}
    return {"seconds": round(seconds, 1), "float32": cells["float32-litert-local"], "int8": cells["int8-litert-local"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgerig-demo-") as folder:
        found = {"first run": demo(Path(folder), "first"), "second run": demo(Path(folder), "second")}
    met = found["first run"]["seconds"] <= GOAL_S
    state = observe()
    if options.json:
        sys.stdout.write(
            json.dumps({"goal_s": GOAL_S, "met": met, "results": found, "machine": state.cpu}, indent=1) + "\n"
        )
    else:
        print(f"{state.cpu}, {state.cores} cores")
        for name, row in found.items():
            print(f"{name}: {row['seconds']} s; accuracy float32 {row['float32']:.2%}, int8 {row['int8']:.2%}")
        print(f"goal: at most {GOAL_S:.0f} s: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
