from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.datasets import nuclei
from edgerig.datasets.nuclei import Nuclei
from edgerig.datasets.sources import Source
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.testing.contracts.dataset import DatasetContract


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of the same form, in the place of the fetched ones: each pixel tells its column, nuclei every third one."""
    columns = np.broadcast_to(np.arange(512), (512, 512))
    Image.fromarray((columns % 200).astype(np.uint16)).save(tmp_path / "img2d.tif")
    Image.fromarray(np.where(columns % 3 == 0, columns // 3, 0).astype(np.uint16)).save(tmp_path / "mask2d.tif")

    def fetch_all(sources: Sequence[Source], progress: Progress) -> list[Path]:
        assert all(source.sha256 for source in sources)
        return [tmp_path / source.address.rpartition("/")[2] for source in sources]

    monkeypatch.setattr(nuclei, "fetch_all", fetch_all)
    return tmp_path


class TestNuclei(DatasetContract):
    @pytest.fixture
    def dataset(self, package: Path) -> Nuclei:
        return Nuclei()

    def test_no_pixel_is_judged_in_two_splits(self, dataset: Nuclei) -> None:
        """By the columns of a tile, which its pixels tell."""
        row = np.arange(512) % 200
        judged = {}
        for name in ("train", "validation", "test"):
            columns: set[int] = set()
            samples = dataset.split(name)  # type: ignore[arg-type]
            for index in range(len(samples)):
                pixels, mask = samples.raw(index)[0, :, 0], samples.truth(slice(None), dataset.preprocessing)[index, 0]
                starts = [x for x in range(385) if np.array_equal(row[x : x + 128], pixels)]
                ends = {"train": range(225), "validation": [256], "test": [384]}[name]
                (start,) = [x for x in starts if x in ends and (name != "train" or x % 16 == 0)][:1]
                columns |= set((start + np.flatnonzero(mask >= 0)).tolist())
            judged[name] = columns
        assert judged["validation"] == set(range(352, 384))
        assert judged["test"] == set(range(384, 512))
        assert max(judged["train"]) == 351

    def test_masks_lie_on_their_nuclei(self, dataset: Nuclei) -> None:
        test = dataset.split("test")
        assert len(test) == 4
        columns = np.arange(384, 512)
        np.testing.assert_array_equal(
            test.truth(slice(0, 1), dataset.preprocessing)[0, 5], (columns % 3 == 0).astype(np.int16)
        )


def test_another_picture_is_refused(package: Path) -> None:
    Image.fromarray(np.full((512, 512), 300, np.uint16)).save(package / "img2d.tif")
    with pytest.raises(DatasetError, match="not the picture expected"):
        Nuclei().prepare()
