"""Official sample folders: files, lengths, windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.datasets.mlperf_tiny.conftest import MakeSamples

from edgerig.artifact import Quantization, TensorSpec
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.datasets.mlperf_tiny.sample_folder import (
    SampleFile,
    benchmark_folder,
    dequantized,
    sample_files,
    stored_values,
)
from edgerig.datasets.preprocess import quantize_input
from edgerig.errors import DatasetError

KWS, VWW, AD = BENCHMARKS["kws01"], BENCHMARKS["vww01"], BENCHMARKS["ad01"]


def files_of(root: Path, benchmark: Benchmark) -> list[SampleFile]:
    return sample_files(benchmark_folder(root, benchmark.name), benchmark)


def test_samples_come_in_the_order_of_their_lines(make_samples: MakeSamples) -> None:
    data = bytes(range(245)) * 2
    root = make_samples("kws01", {"b.bin": data, "a.bin": data[::-1]}, "b.bin, 12, 7\n\na.bin, 12, 0\n")
    first, second = files_of(root, KWS)
    assert (first.name, first.label, first.line, first.window_count) == ("b.bin", 7, 1, 1)
    assert (second.name, second.label, second.line) == ("a.bin", 0, 3)
    assert first.read() == data
    assert first.windows() == [data]


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=str)
def test_bytes_are_the_values_of_an_inference(benchmark: Benchmark) -> None:
    values = stored_values(bytes(benchmark.input_bytes), benchmark)
    assert values.shape == benchmark.input_shape
    assert values.dtype == np.dtype(benchmark.input_type)


def test_pixels_are_rows_of_red_green_and_blue() -> None:
    picture = np.arange(96 * 96 * 3, dtype=np.uint32).astype(np.uint8).reshape(96, 96, 3)
    np.testing.assert_array_equal(stored_values(picture.tobytes(), VWW), picture)


def test_real_values_are_little_endian() -> None:
    data = b"\x00\x00\x80\x3f" * 640
    assert stored_values(data, AD).tolist() == [1.0] * 640


def test_a_file_is_cut_into_windows_that_overlap(make_samples: MakeSamples) -> None:
    values = np.arange(25_600, dtype="<f4")
    root = make_samples("ad01", {"a.bin": values.tobytes()}, "a.bin,2,1,2560,512\n")
    (file,) = files_of(root, AD)
    windows = file.windows()
    assert len(windows) == file.window_count == 196
    for number in (0, 1, 195):
        np.testing.assert_array_equal(stored_values(windows[number], AD), values[128 * number : 128 * number + 640])


def test_windows_that_are_not_told_are_the_benchmarks(make_samples: MakeSamples) -> None:
    root = make_samples("ad01", {"a.bin": bytes(2560 + 3 * 512 + 4)}, "a.bin,2,0\n")
    assert files_of(root, AD)[0].window_count == 4


def test_the_folder_itself_will_do_as_root(make_samples: MakeSamples) -> None:
    root = make_samples("kws01", {"a.bin": bytes(490)}, "a.bin,12,0\n")
    assert benchmark_folder(root, "kws01") == benchmark_folder(root / "kws01", "kws01") == root / "kws01"


def test_a_missing_folder_is_told_with_those_that_there_are(make_samples: MakeSamples, tmp_path: Path) -> None:
    root = make_samples("ic01", {}, "")
    with pytest.raises(DatasetError, match=r"has no folder kws01; it has ic01"):
        benchmark_folder(root, "kws01")
    with pytest.raises(DatasetError, match=r"There is no folder .*nowhere"):
        benchmark_folder(tmp_path / "nowhere", "kws01")
    (tmp_path / "kws01").mkdir()
    with pytest.raises(DatasetError, match=r"kws01 has no y_labels.csv"):
        files_of(tmp_path, KWS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("b.bin,12,1", "line 2: .*b.bin does not exist"),
        ("folder,12,1", "line 2: .*folder is a folder"),
        ("c" * 300 + ",12,1", "line 2: the file cannot be looked at: File name too long"),
        ("short.bin,12,1", "line 2: short.bin has 489 bytes, not 490"),
        ("real.bin,12,1", "line 2: real.bin has 1,960 bytes, not 490"),
        ("good.bin,10,1", "line 2: good.bin is of 10 classes, and kws01 has 12"),
        ("good.bin,12,1,490,490", "line 2: samples of kws01 are not cut into windows"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_line(make_samples: MakeSamples, line: str, said: str) -> None:
    contents = {"a.bin": bytes(490), "good.bin": bytes(490), "short.bin": bytes(489), "real.bin": bytes(4 * 490)}
    root = make_samples("kws01", contents, f"a.bin,12,1\n{line}\n")
    (root / "kws01" / "folder").mkdir()
    with pytest.raises(DatasetError, match=said) as error:
        files_of(root, KWS)
    assert "y_labels.csv" in error.value.message
    assert error.value.hint
    assert ("float32" in error.value.hint) == line.startswith("real")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.bin,2,0,2000,512", "windows of 2000 bytes every 512 bytes"),
        ("a.bin,2,0,2560,510", "windows of 2560 bytes every 510 bytes"),
        ("short.bin,2,0,2560,512", "short.bin has 2,556 bytes, not 2,560 or more"),
        ("odd.bin,2,0,2560,512", "odd.bin has 2,561 bytes"),
    ],
)
def test_windows_that_cannot_be_are_told(make_samples: MakeSamples, line: str, said: str) -> None:
    contents = {"a.bin": bytes(2560), "short.bin": bytes(2556), "odd.bin": bytes(2561)}
    with pytest.raises(DatasetError, match=said):
        files_of(make_samples("ad01", contents, line), AD)


def test_a_file_that_changes_after_it_was_looked_at_is_told(make_samples: MakeSamples) -> None:
    root = make_samples("kws01", {"a.bin": bytes(490)}, "a.bin,12,0\n")
    (file,) = files_of(root, KWS)
    file.path.write_bytes(bytes(100))
    with pytest.raises(DatasetError, match=r"has 100 bytes now, and had 490"):
        file.read()
    file.path.unlink()
    with pytest.raises(DatasetError, match=r"Cannot read"):
        file.read()


def test_quantized_samples_come_back_as_they_are_through_a_network_of_the_same_scale() -> None:
    every = np.resize(np.arange(-128, 128), KWS.input_shape).astype(np.int8)
    real = dequantized(every, KWS)
    assert real.dtype == np.float32
    assert real[0, 0, 0] == pytest.approx(0.5847029 * (-128 - 83))
    for scale in (0.5847029089927673, 0.58470):
        spec = TensorSpec("x", (1, *KWS.input_shape), "int8", Quantization((scale,), (83,)))
        np.testing.assert_array_equal(quantize_input(real[None], spec)[0], every)


def test_pixels_and_reals_are_not_dequantized() -> None:
    for benchmark in (VWW, AD):
        values = stored_values(bytes(benchmark.input_bytes), benchmark)
        assert dequantized(values, benchmark) is values
