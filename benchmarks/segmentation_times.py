"""What pre- and postprocessing take of an image of 480x512 beside the inference of a float U-Net.

python benchmarks/segmentation_times.py [--images 24] [--alpha 1.0] [--json]

A U-Net on MobileNetV2 with random weights, as LiteRT runs it on one thread. Images are PNG files of 640x480 with masks
of four classes: preprocessing reads, resizes and scales them, postprocessing takes the class of the highest score. All
times are those that a run reports of itself. Goal: pre- and postprocessing together at most half of the inference.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import msgspec
import numpy as np

import edgerig
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.measure.machine import observe

HEIGHT, WIDTH, CLASSES = 480, 512, 4
#: Of the files.
RAW_HEIGHT, RAW_WIDTH = 480, 640
#: Largest share of pre- and postprocessing in the inference of the float network.
GOAL = 0.5


class Times(msgspec.Struct, frozen=True):
    """Seconds of an image."""

    variant: str
    preprocessing: float
    inference: float
    postprocessing: float

    @property
    def share(self) -> float:
        return (self.preprocessing + self.postprocessing) / self.inference


def draw(folder: Path, count: int) -> None:
    """Write images with smooth shapes and noise, which compress as photographs do, and their masks."""
    from PIL import Image

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:RAW_HEIGHT, :RAW_WIDTH]
    for split, images in (("train", 2), ("validation", 1), ("test", count)):
        for part in ("images", "masks"):
            (folder / split / part).mkdir(parents=True)
        for index in range(images):
            angle = rng.uniform(0, np.pi)
            mask = ((x * np.cos(angle) + y * np.sin(angle)) // 97 % CLASSES).astype(np.uint8)
            noise = rng.normal(0, 6, (RAW_HEIGHT, RAW_WIDTH, 3))
            picture = np.clip(mask[..., None] * 50 + 40 + noise, 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / split / "images" / f"{index:03}.png")
            Image.fromarray(mask).save(folder / split / "masks" / f"{index:03}.png")


def measure(folder: Path, images: int, alpha: float) -> list[Times]:
    """The times of the float network."""
    draw(folder / "data", images)
    rig = {
        "name": "segmentation-times",
        "model": {
            "use": "unet",
            "encoder": "mobilenetv2",
            "alpha": alpha,
            "channels": 3,
            "height": HEIGHT,
            "width": WIDTH,
            "train": {"epochs": 0},
        },
        "dataset": {
            "use": "segments",
            "root": str(folder / "data"),
            "classes": [f"class{number}" for number in range(CLASSES)],
        },
        "matrix": {"compilers": ["float32"], "runtimes": ["litert"]},
        "measure": {"rounds": 1, "samples": None, "seconds": 0, "warmup": 2, "profile": False},
    }
    result = edgerig.run(rig, out=folder / "run")
    return [
        Times(
            cell.variant,
            seconds(cell.latency.preprocessing),
            seconds(cell.latency.steady),
            seconds(cell.latency.postprocessing),
        )
        for cell in result.cells
    ]


def seconds(quantity: Quantity) -> float:
    assert isinstance(quantity, Measurement), quantity
    return quantity.value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=24, help="test images")
    parser.add_argument("--alpha", type=float, default=1.0, help="width of MobileNetV2")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgerig-segmentation-") as folder:
        times = measure(Path(folder), options.images, options.alpha)
    missed = times[0].share > GOAL
    if options.json:
        rows = [{**msgspec.structs.asdict(row), "share": row.share} for row in times]
        print(json.dumps({"rows": rows, "goal": GOAL, "missed": missed, "cpu": observe().cpu}, indent=1))
    else:
        print(f"{'variant':10} {'preprocessing':>14} {'inference':>12} {'postprocessing':>15} {'share':>7}")
        for row in times:
            texts = (f"{each * 1e3:.1f} ms" for each in (row.preprocessing, row.inference, row.postprocessing))
            print("{:10} {:>14} {:>12} {:>15} {:>7.1%}".format(row.variant, *texts, row.share))
        print(f"goal: at most {GOAL:.0%} of the float network's inference: {'missed' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
