"""Sample folders out of small copies of the original data sets, read back as the official ones are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.datasets.mlperf_tiny.conftest import write_wav

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, KEYWORDS
from edgerig.datasets.mlperf_tiny.building import BUILDERS, build_folder
from edgerig.datasets.mlperf_tiny.building.parts import Candidate, drawn, in_turn
from edgerig.datasets.mlperf_tiny.features import keyword_features, machine_features, wake_word_features
from edgerig.datasets.mlperf_tiny.sample_folder import SampleFile, sample_files, stored_values
from edgerig.errors import DatasetError, UnknownNameError, UsageError


def built(root: Path, name: str, part: str = "") -> list[SampleFile]:
    return sample_files(root / name / part, BENCHMARKS[name])


def noise(seed: int, seconds: float = 1.0) -> np.ndarray:
    return np.random.RandomState(seed).randint(-20_000, 20_000, int(16_000 * seconds))


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten keywords and two other words, five clips each: one to test, one to validate, three to train with."""
    folder = tmp_path_factory.mktemp("speech")
    lists: dict[str, list[str]] = {"testing_list.txt": [], "validation_list.txt": []}
    for number, word in enumerate([*KEYWORDS[:10], "bed", "marvin"]):
        for clip in range(5):
            write_wav(folder / word / f"{clip}.wav", noise(100 * number + clip, 0.8))
        lists["testing_list.txt"].append(f"{word}/0.wav")
        lists["validation_list.txt"].append(f"{word}/1.wav")
    write_wav(folder / "_background_noise_" / "pink.wav", noise(9, 20.5))
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


class TestKeywords:
    def test_files_are_the_quantized_features_of_their_clips(self, speech: Path, tmp_path: Path) -> None:
        counts = build_folder("kws01", speech, tmp_path)
        assert counts == {"test": 13}
        samples = {sample.name: sample for sample in built(tmp_path, "kws01")}
        sample = samples["down_0.bin"]
        assert sample.label == 0
        features = keyword_features(noise(0, 0.8).astype(np.int16))
        # In float32 and towards 0, as the reference converts them; and within the range of int8.
        steps = features / np.float32(0.5847029089927673) + np.float32(83)
        wanted = np.clip(np.trunc(steps), -128, 127)
        np.testing.assert_array_equal(stored_values(sample.read(), BENCHMARKS["kws01"]), wanted)

    def test_every_part_has_its_own_clips_and_its_own_stretch_of_the_noise(self, speech: Path, tmp_path: Path) -> None:
        counts = build_folder("kws01", speech, tmp_path, training=True)
        # Ten words, as many unknown ones as of a keyword, and pieces of a second of the 20 of noise.
        assert counts == {"train": 30 + 3 + 16, "validation": 10 + 1 + 2, "test": 10 + 1 + 2}
        names = {
            part: {sample.name for sample in built(tmp_path, "kws01", part)} for part in ("", "train", "validation")
        }
        assert {name for name in names[""] if name.startswith("noise")} == {f"noise_pink_{i:03}.bin" for i in (18, 19)}
        assert not names[""] & names["train"]
        assert not names["validation"] & (names["train"] | names[""])
        labels = np.bincount([sample.label for sample in built(tmp_path, "kws01", "train")])
        assert labels.tolist() == [3] * 10 + [16, 3]

    def test_the_archive_of_test_samples_alone_will_do_to_test_with(self, speech: Path, tmp_path: Path) -> None:
        archive = tmp_path / "archive"
        for word in (*KEYWORDS[:10], "_silence_", "_unknown_"):
            write_wav(archive / word / "x.wav", noise(3))
        assert build_folder("kws01", archive, tmp_path / "out") == {"test": 12}
        assert sorted(sample.label for sample in built(tmp_path / "out", "kws01")) == list(range(12))
        with pytest.raises(DatasetError, match=r"test samples alone"):
            build_folder("kws01", archive, tmp_path / "other", training=True)

    def test_another_folder_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"testing_list"):
            build_folder("kws01", tmp_path, tmp_path / "out")
        for name in ("testing_list.txt", "validation_list.txt"):
            (tmp_path / name).write_text("")
        with pytest.raises(DatasetError, match=r"no folder down, go, left"):
            build_folder("kws01", tmp_path, tmp_path / "out")


class TestWakeWords:
    def test_seconds_with_the_wake_word_with_others_and_with_none(self, speech: Path, tmp_path: Path) -> None:
        counts = build_folder("sww01", speech, tmp_path, training=True)
        # Three clips of "marvin", twelve of others, and 16 seconds of noise; one, four and two to validate with.
        assert counts == {"train": 3 + 12 + 16, "validation": 1 + 4 + 2}
        samples = built(tmp_path, "sww01", "train")
        assert np.bincount([sample.label for sample in samples]).tolist() == [3, 16, 12]
        assert {sample.name for sample in samples if sample.label == 0} == {f"marvin_{i}.bin" for i in (2, 3, 4)}
        sample = next(sample for sample in samples if sample.name == "marvin_2.bin")
        sound = np.concatenate([noise(1102, 0.8), np.zeros(3200)]) / 32768
        steps = wake_word_features(sound) / np.float32(0.003701042616739869) + np.float32(-128)
        wanted = np.clip(np.trunc(steps), -128, 127)
        np.testing.assert_array_equal(stored_values(sample.read(), BENCHMARKS["sww01"])[:, 0], wanted)

    def test_they_are_to_train_with_alone(self, speech: Path, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="no recording to test"):
            build_folder("sww01", speech, tmp_path)
        build_folder("sww01", speech, tmp_path, training=True)
        with pytest.raises(UsageError, match="holds samples already"):
            build_folder("sww01", speech, tmp_path, training=True)


class TestCifar10:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        random = np.random.RandomState(0)
        for name in ("test_batch", *(f"data_batch_{number}" for number in range(1, 6))):
            records = random.randint(0, 256, (40, 3073)).astype(np.uint8)
            records[:, 0] = np.arange(40) % 10
            (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
        return tmp_path

    def test_planes_of_colours_become_pixels(self, source: Path, tmp_path: Path) -> None:
        assert build_folder("ic01", source, tmp_path / "out", samples=20, training=True) == {
            "train": 180,
            "validation": 20,
            "test": 20,
        }
        samples = built(tmp_path / "out", "ic01")
        assert np.bincount([sample.label for sample in samples]).tolist() == [2] * 10
        sample = samples[0]
        record = np.frombuffer((source / "test_batch.bin").read_bytes(), np.uint8).reshape(40, 3073)[
            int(sample.name[11:16])
        ]
        assert record[0] == sample.label
        pixels = stored_values(sample.read(), BENCHMARKS["ic01"])
        for row, column in ((0, 0), (3, 17), (31, 31)):
            wanted = [record[1 + 1024 * colour + 32 * row + column] for colour in range(3)]
            assert pixels[row, column].tolist() == wanted

    @pytest.mark.parametrize(("content", "said"), [(b"x" * 3074, "no records"), (b"\x0a" + bytes(3072), "label 10")])
    def test_another_file_is_told(self, source: Path, tmp_path: Path, content: bytes, said: str) -> None:
        (source / "test_batch.bin").write_bytes(content)
        with pytest.raises(DatasetError, match=said):
            build_folder("ic01", source, tmp_path / "out")
        (source / "test_batch.bin").unlink()
        with pytest.raises(DatasetError, match=r"--from cifar10") as error:
            build_folder("ic01", source, tmp_path / "out")
        assert "test_batch.bin" in error.value.message


class TestPersons:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        """A large person, a small one, none, and a crowd."""
        boxes = {"large": (1, 60, 0), "small": (1, 2, 0), "dog": (2, 60, 0), "crowd": (1, 60, 1)}
        images, annotations = [], []
        for number, (name, (category, side, crowd)) in enumerate(boxes.items()):
            pixels = np.random.RandomState(number).randint(0, 256, (120, 150, 3)).astype(np.uint8)
            (tmp_path / "val2014").mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "val2014" / f"{name}.png")
            images.append({"id": number, "file_name": f"{name}.png", "width": 150, "height": 120})
            annotations.append(
                {"image_id": number, "category_id": category, "bbox": [5, 5, side, side], "iscrowd": crowd}
            )
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
        }
        (tmp_path / "annotations").mkdir()
        (tmp_path / "annotations" / "instances_val2014.json").write_text(json.dumps(content))
        return tmp_path

    def test_small_persons_are_left_out_and_crowds_are_none(self, source: Path, tmp_path: Path) -> None:
        build_folder("vww01", source, tmp_path / "out")
        labels = {sample.name: sample.label for sample in built(tmp_path / "out", "vww01")}
        assert labels == {"large.bin": 1, "dog.bin": 0, "crowd.bin": 0}

    def test_pictures_are_stretched_as_pillow_does(self, source: Path, tmp_path: Path) -> None:
        build_folder("vww01", source, tmp_path / "out")
        sample = next(sample for sample in built(tmp_path / "out", "vww01") if sample.name == "large.bin")
        pixels = stored_values(sample.read(), BENCHMARKS["vww01"]).astype(int)
        with Image.open(source / "val2014" / "large.png") as image:
            wanted = np.asarray(image.resize((96, 96), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(pixels - wanted).max() <= 1

    def test_missing_pictures_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match=r"no folder val2014 or val2017"):
            build_folder("vww01", tmp_path, tmp_path / "out")


class TestMachines:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        for number, kind in enumerate(("normal", "normal", "anomaly")):
            write_wav(tmp_path / "ToyCar" / "test" / f"{kind}_id_01_0000000{number}.wav", noise(number, 8.5))
        return tmp_path

    def test_files_are_the_spectra_in_the_middle(self, source: Path, tmp_path: Path) -> None:
        assert build_folder("ad01", source, tmp_path / "out") == {"test": 3}
        samples = {sample.name: sample for sample in built(tmp_path / "out", "ad01")}
        sample = samples["anomaly_id_01_00000002_hist_librosa.bin"]
        assert (sample.label, sample.length, sample.window_count) == (1, 102_400, 196)
        wanted = machine_features(noise(2, 8.5).astype(np.int16) / 32768)
        np.testing.assert_array_equal(np.frombuffer(sample.read(), "<f4").reshape(200, 128), wanted)

    def test_what_is_no_such_recording_is_told(self, source: Path, tmp_path: Path) -> None:
        write_wav(source / "ToyCar" / "test" / "normal_id_01_00000009.wav", noise(0, 2.0))
        with pytest.raises(DatasetError, match=r"too short"):
            build_folder("ad01", source, tmp_path / "out")
        write_wav(source / "ToyCar" / "test" / "other.wav", noise(0))
        with pytest.raises(DatasetError, match=r"other.wav: the name does not say"):
            build_folder("ad01", source, tmp_path / "out")
        with pytest.raises(DatasetError, match=r"no wav files"):
            build_folder("ad01", tmp_path / "ToyCar" / "test", tmp_path / "out")


def test_a_folder_that_has_samples_is_left_alone(speech: Path, tmp_path: Path) -> None:
    build_folder("kws01", speech, tmp_path, samples=2)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(UsageError, match=r"holds samples already"):
        build_folder("kws01", speech, tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*")}


def test_what_cannot_be_built_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"sww1"):
        build_folder("sww1", tmp_path, tmp_path / "out")
    for name in BUILDERS:
        with pytest.raises(DatasetError, match=r"no folder .*nowhere"):
            build_folder(name, tmp_path / "nowhere", tmp_path / "out", training=True)


def test_samples_are_drawn_with_the_classes_in_turn() -> None:
    candidates = [Candidate(str(number), label, dict) for number, label in enumerate([0] * 10 + [1] * 3 + [2] * 5)]
    labels = [candidate.label for candidate in drawn(candidates, 12)]
    assert sorted(labels) == [0] * 5 + [1] * 3 + [2] * 4
    assert len({candidate.name for candidate in drawn(candidates, 12)}) == 12
    assert drawn(candidates, 12) == drawn(candidates, 12)
    assert len(drawn(candidates, 100)) == 18


def test_parts_share_no_sample_and_leave_none_out() -> None:
    labels = [0] * 20 + [1] * 10
    parts = in_turn(labels, [0.1, 0.3])
    assert sorted(index for part in parts for index in part) == list(range(30))
    assert [[labels[index] for index in part].count(1) for part in parts] == [1, 3, 6]
