from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgerig import files
from edgerig.datasets.base import Dataset
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.datasets.npz_file import read_npz
from edgerig.errors import DatasetError, SourceError
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.testing.contracts.dataset import DatasetContract

LABELS = np.arange(30) % 3


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    made: dict[str, Any] = {
        "x_train": rng.integers(0, 256, (30, 6, 5, 1), np.uint8),
        "y_train": LABELS,
        "x_test": rng.integers(0, 256, (12, 6, 5, 1), np.uint8),
        "y_test": LABELS[:12],
    }
    made.update(changes)
    return {name: value for name, value in made.items() if value is not None}


def save(folder: Path, **content: Any) -> Path:
    path = folder / "mine.npz"
    np.savez_compressed(path, **content)
    return path


def npz(path: Path, **options: Any) -> Npz:
    return Npz(NpzSettings(file=str(path), **options))


class TestNpzWithSplitsKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Dataset:
        return make("dataset", "npz", Dataset, {"file": str(save(tmp_path, **arrays()))})


class TestNpzOfOnePieceKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Dataset:
        return npz(save(tmp_path, x=np.random.default_rng(0).normal(size=(40, 7)), y=np.arange(40) % 2), scale=2.0)


def test_one_piece_is_split_the_same_share_of_each_class(tmp_path: Path) -> None:
    dataset = npz(save(tmp_path, x=np.arange(300.0).reshape(100, 3), y=np.arange(100) % 5), test=0.2, validation=0.25)
    splits = [dataset.split(name) for name in ("train", "validation", "test")]  # type: ignore[arg-type]
    assert [np.bincount(samples.labels).tolist() for samples in splits] == [[12] * 5, [4] * 5, [4] * 5]
    firsts = [float(samples.raw(i)[0]) for samples in splits for i in range(len(samples))]  # type: ignore[arg-type]
    assert sorted(firsts) == [3.0 * i for i in range(100)]


def test_a_validation_part_of_the_file_is_used(tmp_path: Path) -> None:
    path = save(tmp_path, **arrays(x_validation=np.zeros((4, 6, 5, 1), np.uint8), y_validation=LABELS[:4]))
    dataset = npz(path)
    assert (len(dataset.split("train")), len(dataset.split("validation"))) == (30, 4)


def test_uint8_is_scaled_to_1_and_anything_else_left(tmp_path: Path) -> None:
    assert npz(save(tmp_path, **arrays())).preprocessing.scale == 1 / 255
    assert npz(save(tmp_path, **arrays()), scale=1.0).preprocessing.scale == 1.0
    path = save(tmp_path, x=np.zeros((40, 7), np.float32), y=np.arange(40) % 2)
    assert npz(path, mean=(0.5,), std=(2.0,)).preprocessing.mean == (0.5,)
    assert npz(path).preprocessing.scale == 1.0


def test_grey_images_get_a_channel_axis(tmp_path: Path) -> None:
    path = save(tmp_path, **arrays(x_train=np.zeros((30, 6, 5), np.uint8), x_test=np.zeros((12, 6, 5), np.uint8)))
    assert npz(path).split("test").raw(0).shape == (6, 5, 1)


def test_class_names_come_from_settings_file_or_numbers(tmp_path: Path) -> None:
    assert npz(save(tmp_path, **arrays())).classes == ("0", "1", "2")
    path = save(tmp_path, **arrays(classes=np.array(["ant", "bee", "cow"])))
    assert npz(path).classes == ("ant", "bee", "cow")
    assert npz(path, classes=("a", "b", "c")).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "lacks y_test; it holds x_train, y_train, x_test"),
        ({"x": np.zeros(3)}, "holds both x and x_test"),
        ({"x_validation": np.zeros((2, 6, 5, 1), np.uint8)}, "lacks y_validation"),
        ({"y_train": LABELS[:29]}, "x_train has 30 samples, y_train has 29 labels"),
        ({"y_train": LABELS.astype(float)}, "y_train is float64 of shape \\[30\\]"),
        ({"y_train": np.eye(3, dtype=int)[LABELS]}, "y_train is int64 of shape \\[30, 3\\]"),
        ({"y_train": LABELS - 1}, "y_train holds -1 to 1"),
        ({"y_train": LABELS * 10**9}, "y_train holds 0 to 2000000000"),
        ({"x_train": np.array(["a"] * 30)}, "x_train is str.* of shape \\[30\\]"),
        ({"x_train": np.zeros((30, 2), complex)}, "x_train is complex128"),
        ({"x_train": np.zeros((0, 6, 5, 1)), "y_train": LABELS[:0]}, "x_train is float64 of shape \\[0, 6, 5, 1\\]"),
        ({"x_test": np.zeros((12, 6, 6, 1), np.uint8)}, "shape \\[6, 6, 1\\], those of train \\[6, 5, 1\\]"),
        ({"y_train": np.where(LABELS == 1, 3, LABELS)}, "class 1 \\(1\\) without any sample in train"),
        ({"y_test": np.zeros(12, int)}, "classes 1 \\(1\\), 2 \\(2\\) without any sample in test"),
        ({"classes": np.array(["ant", "bee"])}, "labels up to 2, but 2 class names"),
    ],
)
def test_bad_content_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        npz(save(tmp_path, **arrays(**changes))).prepare()


def test_labels_with_an_axis_too_many_of_length_1_are_taken(tmp_path: Path) -> None:
    assert npz(save(tmp_path, **arrays(y_train=LABELS[:, None]))).split("train").labels.ndim == 1


def test_pickled_objects_are_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return marker.touch, ()

    path = save(tmp_path, **arrays(x_train=np.array([Evil()] * 30, dtype=object)))
    marker.unlink(missing_ok=True)
    with pytest.raises(DatasetError, match="x_train holds pickled objects"):
        npz(path).prepare()
    assert not marker.exists()


def test_not_a_number_is_allowed_and_told(tmp_path: Path, heard: Any) -> None:
    x = np.zeros((30, 4), np.float32)
    x[[3, 5], 1] = np.nan
    y = np.where(np.arange(30) < 15, 0, 1)
    npz(save(tmp_path, x_train=x, y_train=y, x_test=np.zeros((30, 4), np.float32), y_test=y), validation=0.0).prepare(
        heard
    )
    assert [line for line in heard.lines if "2 of 30 samples hold NaN" in line and "samples 3, 5" in line]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.npz does not exist"):
        npz(tmp_path / "none.npz").prepare()


def test_a_wrong_checksum_says_both(tmp_path: Path) -> None:
    path = save(tmp_path, **arrays())
    with pytest.raises(SourceError, match=f"{files.sha256_file(path)}, expected was {'0' * 64}"):
        npz(path, sha256="0" * 64).prepare()
    assert path.exists()
    npz(path, sha256=files.sha256_file(path).upper()).prepare()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00"])
def test_what_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"mine\.npz is no npz file, or is truncated"):
        npz(path).prepare()


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.zeros((3, 4)))
    with pytest.raises(DatasetError, match="holds a single array"):
        npz(tmp_path / "mine.npy").prepare()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = save(tmp_path, **arrays())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DatasetError, match="truncated"):
        npz(path).prepare()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.data())
def test_damage_anywhere_gives_arrays_or_a_clear_error(tmp_path: Path, data: st.DataObject) -> None:
    original = tmp_path / "mine.npz"
    if not original.exists():
        save(tmp_path, **arrays())
    content = bytearray(original.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(content)
    try:
        read_npz(damaged)
    except DatasetError as error:
        assert error.hint  # noqa: PT017 - either way is right; nothing else may be raised


def test_progress_is_optional(tmp_path: Path) -> None:
    npz(save(tmp_path, **arrays())).prepare(Progress())


@pytest.mark.parametrize(("train", "test"), [("uint8", "float32"), ("float32", "uint8"), ("uint8", "int32")])
def test_splits_that_one_scale_cannot_fit_are_refused(tmp_path: Path, train: str, test: str) -> None:
    x, y = np.arange(24).reshape(6, 4), np.array([0, 1, 2] * 2)
    np.savez(tmp_path / "d.npz", x_train=x.astype(train), y_train=y, x_test=x.astype(test), y_test=y)
    with pytest.raises(DatasetError, match=f"samples of test are {test}, those of train {train}"):
        Npz(NpzSettings(file=str(tmp_path / "d.npz"))).prepare()


def several(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    values = {
        "x_picture": rng.integers(0, 256, (30, 4, 4, 3), np.uint8),
        "x_age": rng.normal(size=30).astype(np.float64),
        "x_ids": rng.integers(0, 2**40, (30, 5)),
        "y": np.arange(30) % 2,
    }
    return values | changes


class TestSeveralInputs(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Npz:
        return npz(save(tmp_path, **several()), mean=(0.5,), std=(0.5,))


def test_several_inputs_by_name_whole_and_in_splits(tmp_path: Path) -> None:
    values = several()
    split = {f"{name}_{part}": array for name, array in values.items() for part in ("train", "test")}
    for folder in ("whole", "split"):
        (tmp_path / folder).mkdir()
    whole, parts = npz(save(tmp_path / "whole", **values)), npz(save(tmp_path / "split", **split))
    for dataset, count in ((whole, 6), (parts, 30)):
        samples = dataset.split("test")
        assert (samples.names, len(samples)) == (("picture", "age", "ids"), count)
    inputs = parts.split("test").named_inputs(slice(None), parts.preprocessing)
    np.testing.assert_array_equal(inputs["picture"], values["x_picture"].astype(np.float32) * np.float32(1 / 255))
    np.testing.assert_array_equal(inputs["age"], values["x_age"])
    np.testing.assert_array_equal(inputs["ids"], values["x_ids"])
    assert inputs["ids"].dtype == np.int64
    np.testing.assert_array_equal(parts.split("test").raw(3), values["x_picture"][3])


def test_a_validation_split_beside_a_whole_of_several_inputs(tmp_path: Path) -> None:
    values = several()
    dataset = npz(save(tmp_path, **values, **{f"{name}_validation": array[:8] for name, array in values.items()}))
    assert [len(dataset.split(name)) for name in ("train", "validation", "test")] == [24, 8, 6]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_age": np.zeros(29)}, "inputs differ in length: x_picture 30, x_age 29, x_ids 30"),
        ({"y": np.arange(29) % 2}, "x has 30 samples, y has 29 labels"),
        ({"x_age": np.array(["a"] * 30)}, "x_age is str"),
        ({"y": np.zeros((30, 4, 4), np.int64)}, "masks, which go with one input"),
        ({"x_train": np.zeros((3, 2))}, "holds both y and x_train"),
    ],
)
def test_several_inputs_that_cannot_be_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        npz(save(tmp_path, **several(**changes))).prepare()


def test_several_inputs_lack_one_in_a_split(tmp_path: Path) -> None:
    values = {f"{name}_{part}": array for name, array in several().items() for part in ("train", "test")}
    del values["x_age_test"]
    with pytest.raises(DatasetError, match="lacks x_age_test"):
        npz(save(tmp_path, **values)).prepare()


def test_a_scale_without_pictures_is_refused(tmp_path: Path) -> None:
    values = several()
    del values["x_picture"]
    path = save(tmp_path, **values)
    npz(path).prepare()
    with pytest.raises(DatasetError, match="none of them pictures"):
        npz(path, scale=2.0).prepare()


def test_an_array_x_is_the_only_input_whatever_else_is_called_so(tmp_path: Path) -> None:
    samples = npz(save(tmp_path, x=np.zeros((30, 2)), x_raw=np.zeros((30, 3)), y=np.arange(30) % 2)).split("test")
    assert samples.names == ()


def test_labels_of_another_number_are_told_with_a_remedy(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((30, 4), np.float32), y=np.arange(29) % 2)
    with pytest.raises(DatasetError, match="x has 30 samples, y has 29 labels") as caught:
        Npz(NpzSettings(file=str(tmp_path / "d.npz"))).prepare()
    assert caught.value.hint == "Give each sample one entry in each array, in the same order."
