"""What a device says that it loaded: what cannot be is refused by name."""

from typing import Any

import numpy as np
import pytest
from tests.targets.hostile.devices import ESC, INF, MODEL, MOST, NAN, X, is_clean, loaded, spec, use

from edgerig.errors import AnswerError

SCALE = {"scales": [0.5], "zero_points": [0], "axis": None}
LOADED: dict[str, dict[str, Any]] = {
    "no inputs": {"inputs": []}, "no outputs": {"outputs": []}, "two inputs": {"inputs": lambda specs: specs * 2},
    "two outputs": {"outputs": lambda specs: specs * 2}, "300 outputs": {"outputs": lambda specs: specs * 300},
    "unknown dtype": {"outputs": spec(dtype="bfloat16")}, "dtype is no text": {"outputs": spec(dtype=5)},
    "object dtype": {"inputs": spec(dtype="object")}, "another dtype": {"outputs": spec(dtype="int32")},
    "another input dtype": {"inputs": spec(dtype="int8")}, "longer output": {"outputs": spec(shape=[1, 5])},
    "shorter input": {"inputs": spec(shape=[1, 3])}, "input of 0": {"inputs": spec(shape=[1, 0])},
    "negative input": {"inputs": spec(shape=[1, -4])}, "output of -7": {"outputs": spec(shape=[1, -7])},
    "huge output": {"outputs": spec(shape=[1, 2**40, 2**40])}, "largest output": {"outputs": spec(shape=[1, MOST])},
    "100 dimensions": {"outputs": spec(shape=[1] * 100)}, "shape of texts": {"outputs": spec(shape=["1", "4"])},
    "scale of NaN": {"outputs": spec(quantization={**SCALE, "scales": [NAN]})},
    "scale of 0": {"outputs": spec(quantization={**SCALE, "scales": [0.0]})},
    "negative scale": {"outputs": spec(quantization={**SCALE, "scales": [-1.0]})},
    "infinite scale": {"outputs": spec(quantization={**SCALE, "scales": [INF]})},
    "two scales, one zero": {"outputs": spec(quantization={**SCALE, "scales": [1.0, 2.0]})},
    "huge zero point": {"outputs": spec(quantization={**SCALE, "zero_points": [2**40]})},
    "axis 9": {"outputs": spec(quantization={**SCALE, "axis": 9})},
    "load of NaN": {"load_seconds": NAN}, "load of -1 s": {"load_seconds": -1.0}, "endless load": {"load_seconds": INF},
    "load of a year": {"load_seconds": 3e7}, "load longer than the answer took": {"load_seconds": 1000.0},
    "no hash": {"sha256": ""}, "hash with blanks": {"sha256": " " * 64}, "hash of escapes": {"sha256": ESC * 8},
    "0 threads": {"threads": 0}, "-1 threads": {"threads": -1}, "10**9 threads": {"threads": 10**9},
    "clock is a number": {"clock": 5}, "runtime is nil": {"runtime": None}, "window is a text": {"window": "4"},
}  # fmt: skip


@pytest.mark.parametrize("name", LOADED)
def test_what_was_loaded_cannot_be(hostile, faulty, name):
    with pytest.raises(AnswerError) as caught:
        use(hostile({MODEL: loaded(**LOADED[name])}).address, faulty)
    assert "127.0.0.1" in caught.value.message
    assert caught.value.hint
    assert is_clean(str(caught.value))


@pytest.mark.parametrize("window", [0, -5, 2**31, MOST])
def test_any_window_is_lived_with(hostile, faulty, window):
    told = use(hostile({MODEL: loaded(window=window)}).address, faulty)
    np.testing.assert_array_equal(told["run"].outputs[0], X[0] * 2)


def test_texts_of_a_device_lose_what_a_terminal_obeys(hostile, faulty):
    texts = {"runtime_version": ESC * 100, "clock": ESC + "9" * 500 + " ns 1.2.3 ns", "invoke_method": "x" * 10_000}
    told = use(hostile({MODEL: loaded(**texts, outputs=spec(name=ESC))}).address, faulty)
    report = told["report"]
    for text in (report.runtime_version, report.clock, report.invoke_method, report.outputs[0].name):
        assert is_clean(text)
        assert "\n" not in text
        assert len(text) <= 200
