"""Peak memory of a segmentation run over 100 and over 1,000 images: it must not grow with their number.

python benchmarks/segmentation_memory.py [--json]

Images of 400 x 400 with masks are read from files, 34 of them at once (64 MB); the network is one convolution in ONNX,
so that what edgerig itself keeps shows. A peak is the largest resident set of any process of the run, its reference and
its agent included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from edgerig.measure.machine import observe
from edgerig.testing.networks.onnx_networks import pixel_classes_onnx

COUNTS = (100, 1000)
SIDE = 400
#: Largest ratio of the peaks.
GOAL = 1.1
#: Runs a command and prints the largest resident set among its processes, in bytes (Linux counts kB).
PEAK = (
    "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode; "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024); sys.exit(done)"
)


def draw(folder: Path, count: int) -> None:
    """Write ``count`` test images whose right part is bright, and their masks."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        for split in ("train", "validation", "test"):
            (folder / split / part).mkdir(parents=True)
    for index in range(count + 2):
        split = ("train", "validation")[index] if index < 2 else "test"
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[:, index % SIDE :] = 1
        picture = (mask[..., None] * 128 + rng.integers(0, 100, (SIDE, SIDE, 3))).astype(np.uint8)
        Image.fromarray(picture).save(folder / split / "images" / f"{index:05}.png", compress_level=1)
        Image.fromarray(mask).save(folder / split / "masks" / f"{index:05}.png")


def peak(folder: Path, count: int) -> int:
    """Bytes of the largest process of a run over ``count`` images."""
    data = folder / f"data-{count}"
    draw(data, count)
    rig = {
        "model": {"file": str(folder / "net.onnx"), "layout": "nchw"},
        "dataset": {"use": "segments", "root": str(data), "size": SIDE},
        "matrix": {"runtimes": ["onnxruntime"]},
        "measure": {"rounds": 1, "samples": None, "seconds": 0, "profile": False},
    }
    (folder / f"{count}.yaml").write_text(json.dumps(rig))
    command = [sys.executable, "-m", "edgerig", "run", str(folder / f"{count}.yaml"), "--out", str(folder / str(count))]
    environment = {**os.environ, "EDGERIG_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *command], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return int(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgerig-segments-") as folder:
        pixel_classes_onnx(Path(folder) / "net.onnx", SIDE, 3)
        peaks = {count: peak(Path(folder), count) for count in COUNTS}
    ratio = peaks[COUNTS[1]] / peaks[COUNTS[0]]
    state = observe()
    if options.json:
        results = {"peaks_bytes": peaks, "ratio": round(ratio, 3)}
        document = {"goal": GOAL, "met": ratio <= GOAL, "results": results, "machine": state.cpu}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        print(f"{state.cpu}, {state.cores} cores")
        for count, size in peaks.items():
            print(f"{count:>5} images: {size / 1e6:.0f} MB")
        print(f"ratio {ratio:.3f}; goal: at most {GOAL}: {'met' if ratio <= GOAL else 'MISSED'}")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
