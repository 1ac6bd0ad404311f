"""The float model's predictions go to disk by portions: memory does not grow with the number of images."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.datasets.masks import MaskedSamples
from edgerig.engine.references.predictions import store_predictions
from edgerig.engine.samples import evaluation as chunked
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.engine.samples.stored_rows import StoredRows
from edgerig.models.declared import declare
from edgerig.models.files import open_artifact
from edgerig.progress import Progress
from edgerig.testing.networks.onnx_networks import pixel_classes_onnx

SIDE = 64


def test_portions_become_one_array_as_numpy_reads_it(tmp_path):
    rows = np.random.default_rng(0).integers(0, 9, (7, 3, 2)).astype(np.uint8)
    with StoredRows(tmp_path / "rows.npy", 7) as stored:
        for start in range(0, 7, 3):
            stored.append(rows[start : start + 3])
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), rows)


def test_an_error_on_the_way_is_raised_as_it_is(tmp_path):
    def write():
        with StoredRows(tmp_path / "rows.npy", 7) as stored:
            stored.append(np.zeros((3, 2)))
            raise KeyError("the engine's own")

    with pytest.raises(KeyError, match="the engine's own"):
        write()


class Drawn(Dataset):
    """Images of noise, half of each bright; ``count`` of them."""

    name = "drawn"
    summary = "bright halves"
    task = "segmentation"
    count = 0
    classes = ("dark", "bright")
    preprocessing = Preprocessing(scale=1 / 255)

    def _prepare(self, progress):
        rng = np.random.default_rng(1)
        self.masks = np.zeros((self.count, SIDE, SIDE), np.int16)
        for index in range(self.count):
            self.masks[index, :, : 1 + index % SIDE] = 1
        images = self.masks * 128 + rng.integers(0, 100, self.masks.shape)
        self.images = images.astype(np.uint8)[..., None]

    def _split(self, name):
        return MaskedSamples(self.images, self.masks)


@pytest.mark.slow
def test_memory_of_a_reference_does_not_grow_with_the_number_of_images(tmp_path, monkeypatch):
    """Counted by the allocator: 20 portions more of 3.2 MB of class maps may not cost another one."""
    monkeypatch.setattr(chunked, "CHUNK_BYTES", 40 * 4 * SIDE * SIDE)
    pixel_classes_onnx(tmp_path / "net.onnx", SIDE, 1)
    peaks = {}
    for count in (80, 880):
        dataset = type("Drawn", (Drawn,), {"count": count})()
        dataset.prepare()
        artifact = declare(open_artifact(tmp_path / "net.onnx", preprocessing=dataset.preprocessing), "nchw")
        tests = EvaluationSamples(dataset, None)
        tracemalloc.start()
        store_predictions(artifact, tests, tmp_path / f"{count}.npy", Progress())
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        maps = np.load(tmp_path / f"{count}.npy")
        np.testing.assert_array_equal(maps, dataset.masks)
    assert peaks[880] < 1.2 * peaks[80], peaks
