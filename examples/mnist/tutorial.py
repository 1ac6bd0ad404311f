"""From a dataset to measured deployments, call by call. Run it: ``python examples/mnist/tutorial.py [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

import edgerig
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.measure import Measurement
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.plugins import make
from edgerig.report import write_report

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/tutorial")

# 1. Data. 10,000 + 2,000 real digits come with edgerig.
digits = make("dataset", "mnist", Dataset)
digits.prepare()
test = digits.split("test")
print(f"{len(digits.split('train'))} digits to train with, {len(test)} to test; the first is a {test.labels[0]}")

# 2. A network, trained. Few samples and one epoch: this is a tutorial.
network = make("model", "mnist-cnn", ModelWrapper)
model = network.train(digits, TrainSettings(epochs=1, train_samples=2000), folder / "train")
print(f"trained {model.path}")

# 3. Compiled: to float TFLite, and from there to int8 with calibration on training samples.
tflite = make("compiler", "float32", ModelCompiler).compile(model, folder / "build")
int8 = make("compiler", "int8", ModelCompiler).compile(tflite, folder / "build", digits)
for artifact in (model, tflite, int8):
    print(f"{artifact.scheme:>8} {artifact.format:>6}: {artifact.size:>9,} bytes")

# 4. Measured, each in a process of its own, and compared with the float network sample by sample.
result = edgerig.run(
    {
        "name": "tutorial",
        "model": {"file": int8.path, "reference": tflite.path},
        "dataset": "mnist",
        "matrix": [{"runtimes": ["litert", "tflm"]}],
        "measure": {"samples": 200},
    },
    out=folder / "bundle",
)
for cell in result.cells:
    steady = cell.latency.steady
    assert isinstance(steady, Measurement)
    quality = cell.quality.metrics[0]
    print(f"{cell.id}: {quality.name} {quality.value:.1%}, {steady.value * 1e6:.1f} us ({steady.kind}, {steady.clock})")

# 5. One page to show around.
print(f"report: {write_report([folder / 'bundle'], folder / 'report.html')}")
