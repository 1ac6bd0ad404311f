"""10,000 polygons in COCO's form to masks, beside pycocotools: how long, and whether all pixels are the same.

python benchmarks/labels.py [--json] [--polygons N]

The polygons have 4 to 59 corners and radii of 20 to 150 pixels in an image of 640 x 480, partly outside of it. A mask
is an array of the image's height and width. Both take turns, each polygon on its own; times are CPU time of the
process. The same polygons are also read from an annotation file by each, from JSON to masks.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

from edgerig.datasets.labels import coco, masks, polygons, runs
from edgerig.datasets.labels.shapes import Category, ImageLabels, LabelSet, Polygon, Shape
from edgerig.measure.machine import observe

POLYGONS, ROUNDS = 10_000, 3
HEIGHT, WIDTH = 480, 640
#: Objects of an image.
OBJECTS = 10
GOAL_S = 10.0


def outlines(count: int) -> list[list[float]]:
    """Star-shaped polygons with coordinates of two decimals."""
    rng = np.random.default_rng(0)
    result = []
    for _ in range(count):
        corners = int(rng.integers(4, 60))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radius = rng.uniform(20, 150) * rng.uniform(0.6, 1, corners)
        centre = rng.uniform((0, 0), (WIDTH, HEIGHT)).clip((60, 60), (WIDTH - 60, HEIGHT - 60))
        points = centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
        result.append(np.round(points, 2).ravel().tolist())
    return result


def ours(ring: list[float]) -> Any:
    return runs.decode(polygons.ring_to_runs(ring, HEIGHT, WIDTH), HEIGHT, WIDTH)


def theirs(ring: list[float]) -> Any:
    return coco_masks.decode(coco_masks.frPyObjects([ring], HEIGHT, WIDTH)[0])


def drawn(draw: Callable[[list[float]], Any], rings: list[list[float]]) -> None:
    """Draw the outlines one after another."""
    for ring in rings:
        draw(ring)


def write(rings: list[list[float]], folder: Path) -> Path:
    """An annotation file of these outlines."""
    images = {}
    for number in range(0, len(rings), OBJECTS):
        shapes = [Shape(category="object", polygons=(Polygon(tuple(r)),)) for r in rings[number : number + OBJECTS]]
        images[f"{number:06}.jpg"] = ImageLabels(width=WIDTH, height=HEIGHT, shapes=tuple(shapes))
    coco.write(LabelSet(categories=(Category(id=1, name="object"),), images=images), folder)
    return folder / coco.FILE


def our_file(path: Path) -> int:
    """Pixels of all masks of a file."""
    images = coco.read(path).images.values()
    return sum(int(masks.shape_mask(shape, HEIGHT, WIDTH).sum()) for image in images for shape in image.shapes)


def their_file(path: Path) -> int:
    with contextlib.redirect_stdout(io.StringIO()):
        content = COCO(str(path))
    return sum(int(content.annToMask(entry).sum()) for entry in content.anns.values())


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measured(rings: list[list[float]], path: Path) -> dict[str, list[float]]:
    """CPU seconds of each round."""
    result: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, work in (
            ("edgerig, masks", lambda: drawn(ours, rings)),
            ("pycocotools, masks", lambda: drawn(theirs, rings)),
            ("edgerig, file to masks", lambda: our_file(path)),
            ("pycocotools, file to masks", lambda: their_file(path)),
        ):
            result.setdefault(name, []).append(seconds(work))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--polygons", type=int, default=POLYGONS)
    options = parser.parse_args()
    rings = outlines(options.polygons)
    differing = sum(not np.array_equal(ours(ring), theirs(ring)) for ring in rings)
    with tempfile.TemporaryDirectory() as folder:
        path = write(rings, Path(folder))
        same_files = our_file(path) == their_file(path)
        times = measured(rings, path)
    medians = {name: statistics.median(values) for name, values in times.items()}
    met = max(medians["edgerig, masks"], medians["edgerig, file to masks"]) <= GOAL_S and not differing and same_files
    state = observe()
    if options.json:
        document = {"goal_s": GOAL_S, "met": met, "seconds": times, "differing": differing, "machine": state.cpu}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return 0 if met else 1
    print(f"{state.cpu}, {state.cores} cores, load {os.getloadavg()[0]:.1f}; {len(rings):,} polygons, {ROUNDS} rounds")
    for name, values in times.items():
        print(f"{name:<28}{statistics.median(values):>7.2f} s of CPU ({min(values):.2f} to {max(values):.2f})")
    print(f"masks that differ in a pixel: {differing}; sums of the files' pixels {'equal' if same_files else 'DIFFER'}")
    print(f"goal: at most {GOAL_S:.0f} s and no pixel: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
