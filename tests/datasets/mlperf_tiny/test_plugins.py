"""The benchmarks as datasets: what a network is fed, and how it is judged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.datasets.mlperf_tiny.conftest import MakeSamples

from edgerig.artifact import Quantization, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.datasets.mlperf_tiny.features import wake_word_features
from edgerig.datasets.mlperf_tiny.plugins import (
    AnomalyDetection,
    ImageClassification,
    KeywordSpotting,
    StreamingWakeWord,
    TinySettings,
    VisualWakeWords,
    WakeWordSettings,
    frame_labels,
)
from edgerig.datasets.mlperf_tiny.recordings import recordings
from edgerig.datasets.preprocess import quantize_input
from edgerig.errors import DatasetError, SpecError
from edgerig.plugins import find
from edgerig.progress import Progress
from edgerig.testing.contracts.dataset import DatasetContract


class TestKeywordSpottingContract(DatasetContract):
    @pytest.fixture
    def dataset(self, seeded_root: Path) -> Dataset:
        return KeywordSpotting(TinySettings(root=str(seeded_root)))


class TestVisualWakeWordsContract(DatasetContract):
    @pytest.fixture
    def dataset(self, seeded_root: Path) -> Dataset:
        return VisualWakeWords(TinySettings(root=str(seeded_root)))


class TestImageClassificationContract(DatasetContract):
    @pytest.fixture
    def dataset(self, seeded_root: Path) -> Dataset:
        return ImageClassification(TinySettings(root=str(seeded_root)))


class TestStreamingWakeWordContract(DatasetContract):
    @pytest.fixture
    def dataset(self, seeded_root: Path) -> Dataset:
        return StreamingWakeWord(WakeWordSettings(root=str(seeded_root)))


def test_they_are_registered_under_their_names() -> None:
    for cls in (KeywordSpotting, VisualWakeWords, ImageClassification, AnomalyDetection, StreamingWakeWord):
        assert find("dataset", cls.name, Dataset) is cls


def test_an_int8_network_of_the_references_scale_gets_the_bytes_of_the_file(make_samples: MakeSamples) -> None:
    every = np.resize(np.arange(-128, 128), 490).astype(np.int8)
    dataset = KeywordSpotting(TinySettings(root=str(make_samples("kws01", {"a.bin": every.tobytes()}, "a.bin,12,3"))))
    values = dataset.split("test").inputs(slice(None), dataset.preprocessing)
    assert values.shape == (1, 49, 10, 1)
    # A network of real inputs: the features that were quantized, within half a step.
    np.testing.assert_allclose(values.reshape(-1), 0.5847029 * (every.astype(float) - 83), rtol=1e-6)
    spec = TensorSpec("x", (1, 49, 10, 1), "int8", Quantization((0.5847029089927673,), (83,)))
    assert quantize_input(values, spec).tobytes() == every.tobytes()


def test_pictures_go_in_as_the_reference_takes_them(make_samples: MakeSamples) -> None:
    pixels = np.arange(3072, dtype=np.uint32).astype(np.uint8)
    root = make_samples("ic01", {"a.bin": pixels.tobytes()}, "a.bin,10,3")
    dataset = ImageClassification(TinySettings(root=str(root)))
    values = dataset.split("test").inputs(slice(None), dataset.preprocessing)
    np.testing.assert_array_equal(values, pixels.reshape(1, 32, 32, 3).astype(np.float32))
    spec = TensorSpec("x", (1, 32, 32, 3), "int8", Quantization((1.0,), (-128,)))
    np.testing.assert_array_equal(quantize_input(values, spec).reshape(-1), pixels.astype(int) - 128)
    pixels = np.resize(pixels, 96 * 96 * 3)
    root = make_samples("vww01", {"a.bin": pixels.tobytes()}, "a.bin,2,1")
    scenes = VisualWakeWords(TinySettings(root=str(root)))
    values = scenes.split("test").inputs(slice(None), scenes.preprocessing)
    assert values.max() == 1.0
    spec = TensorSpec("x", (1, 96, 96, 3), "int8", Quantization((0.003921568859368563,), (-128,)))
    np.testing.assert_array_equal(quantize_input(values, spec).reshape(-1), pixels.astype(int) - 128)


class TestAnomalyDetection:
    @pytest.fixture
    def dataset(self, seeded_root: Path) -> AnomalyDetection:
        return AnomalyDetection(TinySettings(root=str(seeded_root)))

    def test_a_file_is_a_sample_of_windows_that_lie_a_spectrum_apart(self, make_samples: MakeSamples) -> None:
        first, second = np.arange(25_600, dtype="<f4"), -np.arange(128.0 * 6).astype("<f4")
        files = {"a.bin": first.tobytes(), "b.bin": second.tobytes()}
        root = make_samples("ad01", files, "a.bin,2,0,2560,512\nb.bin,2,1,2560,512")
        samples = AnomalyDetection(TinySettings(root=str(root))).split("test")
        assert samples.windows is not None
        assert samples.windows.tolist() == [196, 2]
        assert samples.labels.tolist() == [0, 1]
        values = samples.inputs(slice(None), AnomalyDetection().preprocessing)
        assert values.shape == (198, 640)
        np.testing.assert_array_equal(values[195], first[195 * 128 : 195 * 128 + 640])
        np.testing.assert_array_equal(values[197], second[128:768])
        np.testing.assert_array_equal(samples.raw(1), np.stack([second[:640], second[128:768]]))

    def test_windows_are_averaged_by_the_file(self, dataset: AnomalyDetection) -> None:
        dataset.prepare()
        task, samples = dataset.make_task(), dataset.split("test")
        assert samples.windows is not None
        scores = np.arange(float(samples.windows.sum()))[:, None]
        joined = task.join(scores, samples.windows)
        assert joined.reshape(-1).tolist() == [20 * number + 9.5 for number in range(6)]

    def test_windows_are_single_samples_to_train_with(self, dataset: AnomalyDetection) -> None:
        train = dataset.split("train")
        single = train.single_windows()
        assert train.windows is not None
        assert single.windows is None
        assert len(single) == train.windows.sum()
        np.testing.assert_array_equal(single.labels, np.repeat(train.labels, train.windows))
        np.testing.assert_array_equal(single.raw(21), train.raw(1)[1])

    def test_equal_samples_have_equal_fingerprints(self, dataset: AnomalyDetection) -> None:
        again = AnomalyDetection(dataset.settings).split("test")
        samples = dataset.split("test")
        assert samples.fingerprint == again.fingerprint
        assert samples.fingerprint != dataset.split("train").fingerprint
        assert samples.take(np.array([1, 0])).fingerprint != samples.take(np.array([0, 1])).fingerprint
        np.testing.assert_array_equal(samples.take(np.array([2, 0])).raw(1), samples.raw(0))


class TestStreamingWakeWord:
    @pytest.fixture
    def dataset(self, seeded_root: Path) -> StreamingWakeWord:
        return StreamingWakeWord(WakeWordSettings(root=str(seeded_root)))

    def test_an_inference_hears_the_second_before_it(self, dataset: StreamingWakeWord, seeded_root: Path) -> None:
        (recording,) = recordings(seeded_root / "sww01")
        features = wake_word_features(recording.read() / 32768)
        samples = dataset.split("test")
        assert len(samples) == len(features) - 29
        values = samples.inputs(np.array([0, 7]), dataset.preprocessing)
        assert values.shape == (2, 30, 1, 40)
        np.testing.assert_array_equal(values[1, :, 0], features[7:37])

    def test_frames_are_of_the_wake_word_while_it_is_said(self, seeded_root: Path) -> None:
        (recording,) = recordings(seeded_root / "sww01")
        labels = frame_labels(recording, 300, 30)
        for index in range(300):
            end = (index + 29) * 0.032 + 0.064
            said = any(begin <= end <= stop for begin, stop in recording.wake_words)
            assert labels[index] == (0 if said else 1), index

    def test_perfect_scores_miss_nothing_and_report_nothing_wrong(self, dataset: StreamingWakeWord) -> None:
        dataset.prepare()
        samples, task = dataset.split("test"), dataset.make_task()
        scores = np.eye(3, dtype=np.float32)[samples.labels]
        quality = task.judge(task.keep(scores, samples.labels, None), samples)  # type: ignore[arg-type]
        assert {metric.name: metric.value for metric in quality.metrics} == {
            "false_rejects": 0.0,
            "false_accepts_per_hour": 0.0,
        }
        # What is no wake word is no event, whatever its class is called.
        other = np.eye(3, dtype=np.float32)[np.where(samples.labels == 0, 2, samples.labels)]
        quality = task.judge(task.keep(other, samples.labels, None), samples)  # type: ignore[arg-type]
        assert {metric.name: metric.value for metric in quality.metrics} == {
            "false_rejects": 1.0,
            "false_accepts_per_hour": 0.0,
        }

    def test_several_recordings_are_streams_of_their_own(self, seeded_root: Path, tmp_path: Path) -> None:
        folder = tmp_path / "sww01"
        shutil.copytree(seeded_root / "sww01", folder)
        (entry,) = json.loads((folder / "sww_long_test.json").read_text())
        shutil.copy(folder / entry["wav_file"], folder / "again.wav")
        (folder / "sww_long_test.json").write_text(json.dumps([entry, {**entry, "wav_file": "again.wav"}]))
        samples = StreamingWakeWord(WakeWordSettings(root=str(tmp_path))).split("test")
        one = StreamingWakeWord(WakeWordSettings(root=str(seeded_root))).split("test")
        assert one.streams is None
        assert samples.streams is not None
        assert samples.streams.tolist() == [0] * len(one) + [1] * len(one)
        np.testing.assert_array_equal(samples.raw(len(one)), one.raw(0))
        taken = samples.take(np.array([0, len(one)]))
        assert taken.streams is not None
        assert taken.streams.tolist() == [0, 1]

    def test_it_trains_on_single_words_of_three_classes(self, dataset: StreamingWakeWord) -> None:
        train = dataset.split("train")
        assert sorted(set(train.labels.tolist())) == [0, 1, 2]
        values = train.inputs(slice(None), dataset.preprocessing)
        assert values.shape == (18, 30, 1, 40)
        assert values.min() >= 0


def test_a_folder_without_training_samples_is_for_testing_alone(seeded_root: Path, tmp_path: Path) -> None:
    shutil.copytree(seeded_root / "kws01", tmp_path / "kws01", ignore=shutil.ignore_patterns("train", "validation"))
    dataset = KeywordSpotting(TinySettings(root=str(tmp_path)))
    assert len(dataset.split("test")) == 36
    for name in ("train", "validation"):
        with pytest.raises(DatasetError, match="samples to test with, and none to train") as error:
            dataset.split(name)  # type: ignore[arg-type]
        assert "mlperf-tiny data kws01" in str(error.value.hint)


def test_without_a_folder_to_validate_with_a_part_of_the_training_samples_does(
    seeded_root: Path, tmp_path: Path
) -> None:
    shutil.copytree(seeded_root / "ad01", tmp_path / "ad01", ignore=shutil.ignore_patterns("validation"))
    whole = AnomalyDetection(TinySettings(root=str(seeded_root))).split("train")
    dataset = AnomalyDetection(TinySettings(root=str(tmp_path)))
    train, validation = dataset.split("train"), dataset.split("validation")
    assert (len(train), len(validation)) == (10, 2)
    assert len(whole) == 12


@pytest.mark.parametrize("settings", [TinySettings(), TinySettings(root="x", seeded=3)])
def test_either_a_folder_or_a_seed_has_to_be_given(settings: TinySettings) -> None:
    with pytest.raises(SpecError, match="give one of the two"):
        KeywordSpotting(settings).prepare()


def test_seeded_samples_are_made_once_and_told_to_be_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path))
    lines: list[str] = []

    class Kept(Progress):
        def log(self, text: str) -> None:
            lines.append(text)

    first = KeywordSpotting(TinySettings(seeded=2))
    first.prepare(Kept())
    assert "not those of the benchmark" in lines[0]
    stamp = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.bin")}
    again = KeywordSpotting(TinySettings(seeded=2))
    assert again.split("test").fingerprint == first.split("test").fingerprint
    assert stamp == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.bin")}
    assert len(stamp) == 12 * (2 + 4 + 2)


def test_the_size_of_a_sample_is_known_before_anything_is_read() -> None:
    for cls in (KeywordSpotting, VisualWakeWords, ImageClassification, AnomalyDetection):
        assert cls(TinySettings(root="nowhere")).sample_shape == BENCHMARKS[cls.benchmark.name].input_shape
