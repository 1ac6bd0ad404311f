"""Vision: the workflow from Python. Run it: ``python examples/vision/tutorial.py [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edgerig.artifact import Artifact, sidecar_path
from edgerig.cache import StageCache
from edgerig.datasets.base import Dataset
from edgerig.datasets.preprocess import quantize_input
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.runtimes.base import Runtime
from edgerig.store import open_dataset
from edgerig.suites.workflow.load import load_workflow
from edgerig.suites.workflow.run import RunOptions, run_workflow

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/vision").absolute()
file = Path(__file__).with_name("workflow.yaml")

# 1. Run the steps up to the compiled network, with the pictures that the camera saw later (`add=field`). What was run
# before, here or by `edgerig workflow run`, is found unchanged.
steps = ("import", "add", "label-check", "train", "compile")
results = run_workflow(
    load_workflow(file, parameters=["add=field"]), RunOptions(out=folder, only=steps), Progress(), StageCache()
)
for result in results:
    print(f"{result.step:<12} {'failed' if result.state == 'failed' else 'done'} {result.reason}".rstrip())

# 2. The dataset has two versions; the second has what was labelled later.
versions, _ = open_dataset(str(folder / "data" / "meter"))
for header in versions.headers():
    print(f"version {header.version}: {header.count} pictures of {', '.join(header.classes)}; {header.note}")

# 3. A picture as the camera saw it: dark, and turned.
data = make("dataset", "stored", Dataset, {"address": f"{versions.address}@2", "size": 28, "channels": 1})
data.prepare()
test = data.split("test")
seen = [entry.name for entry in versions.read(2).entries if entry.split == "test"]
late = np.array([index for index, name in enumerate(seen) if "field" in name])
pixels = test.raw(int(late[0])).squeeze()
print("\n".join("".join(" .:-=+*#%@"[int(value) // 26] for value in row) for row in pixels[::2]))

# 4. The int8 network on the test pictures of both kinds.
path = folder / "compile" / "build" / "mnist-cnn_int8.tflite"
network = Artifact.load(sidecar_path(path))
runtime = make("runtime", "litert", Runtime)
runtime.load(path)
inputs = quantize_input(test.inputs(np.arange(len(test)), network.preprocessing), network.inputs[0])
answers = runtime.run([inputs]).outputs[0].reshape(len(test), -1).argmax(axis=1)
right = answers == np.asarray(test.labels)
early = np.setdiff1d(np.arange(len(test)), late)
for name, indices in (("first pictures", early), ("later pictures", late)):
    print(f"{name}: {right[indices].sum()} of {len(indices)} right")
