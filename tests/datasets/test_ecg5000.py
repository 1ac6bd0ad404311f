"""The heartbeats of ECG5000: files of the same form in the place of the fetched ones, and the fetched ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgerig.datasets import ecg5000
from edgerig.datasets.base import SPLITS
from edgerig.datasets.ecg5000 import Ecg5000
from edgerig.datasets.sources import Source
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.testing.contracts.dataset import DatasetContract


def write_beats(path: Path, kinds: Sequence[int], first: int) -> None:
    """A beat a class of ``kinds``; each of its values is the beat's number, from ``first`` on."""
    lines = ["\t".join([str(kind), *[str(first + i)] * 140]) for i, kind in enumerate(kinds)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_beats(tmp_path / "ECG5000_TRAIN.tsv", [1, 2, 1, 5, 1, 1], first=0)
    write_beats(tmp_path / "ECG5000_TEST.tsv", [1] * 9 + [2] * 6 + [3] * 3 + [4] * 3, first=100)

    def fetch_all(sources: Sequence[Source], progress: Progress) -> list[Path]:
        assert all(source.sha256 for source in sources)
        return [tmp_path / source.address.rpartition("/")[2] for source in sources]

    monkeypatch.setattr(ecg5000, "fetch_all", fetch_all)
    return tmp_path


def beats_of(dataset: Ecg5000) -> dict[str, list[int]]:
    return {name: [int(dataset.split(name).raw(i)[0]) for i in range(len(dataset.split(name)))] for name in SPLITS}


class TestEcg5000(DatasetContract):
    @pytest.fixture
    def dataset(self, package: Path) -> Ecg5000:
        return Ecg5000()

    def test_training_sees_normal_beats_of_the_training_part_alone(self, dataset: Ecg5000) -> None:
        assert beats_of(dataset)["train"] == [0, 2, 4, 5]
        assert not dataset.split("train").labels.any()

    def test_validation_and_test_share_out_the_test_part_by_class(self, dataset: Ecg5000) -> None:
        beats = beats_of(dataset)
        assert sorted(beats["validation"] + beats["test"]) == list(range(100, 121))
        kinds = np.repeat([1, 2, 3, 4], [9, 6, 3, 3])
        for name, counts in (("validation", [3, 2, 1, 1]), ("test", [6, 4, 2, 2])):
            own = kinds[np.array(beats[name]) - 100]
            assert np.bincount(own, minlength=5)[1:].tolist() == counts
            np.testing.assert_array_equal(dataset.split(name).labels, own != 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["1\t2\n", "1" + "\tnan" * 140 + "\n", "not numbers"])
def test_another_table_is_refused(package: Path, text: str) -> None:
    (package / "ECG5000_TEST.tsv").write_text(text)
    with pytest.raises(DatasetError, match=r"expected|no table"):
        Ecg5000().prepare()


@pytest.mark.slow
def test_the_archives_beats_are_all_different_and_standardized() -> None:
    """The published files: their sizes, and no two of their beats closer than rounding would bring them."""
    dataset = Ecg5000()
    splits = [dataset.split(name) for name in SPLITS]
    assert [len(samples) for samples in splits] == [292, 1500, 3000]
    assert [int(samples.labels.sum()) for samples in splits] == [0, 624, 1249]
    beats = np.concatenate([samples.inputs(slice(None), dataset.preprocessing) for samples in splits]).astype(float)
    np.testing.assert_allclose(beats.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(beats.std(axis=1, ddof=1), 1, atol=1e-6)
    squares = (beats**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * beats @ beats.T
    np.fill_diagonal(distances, np.inf)
    assert np.sqrt(distances.min()) > 0.5
