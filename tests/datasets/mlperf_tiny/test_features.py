"""Features of sounds against plain versions: sums instead of transforms, triangles drawn point by point.

The plain versions follow the definitions of TensorFlow (`tf.signal.stft`, `linear_to_mel_weight_matrix`,
`mfccs_from_log_mel_spectrograms`) and of librosa (`feature.melspectrogram`), not the code under test.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft
from numpy.typing import NDArray

from edgerig.datasets.mlperf_tiny.features import (
    keyword_features,
    machine_features,
    mel_weights,
    slaney_weights,
    wake_word_features,
)


def sound(seconds: float, seed: int = 0) -> NDArray[np.float64]:
    """Gliding tones under noise, from -1 to 1."""
    random = np.random.RandomState(seed)
    time = np.arange(int(seconds * 16_000)) / 16_000
    tones = sum(np.sin(2 * np.pi * (f + 90 * time) * time) / (1 + i) for i, f in enumerate((210, 900, 2600, 5100)))
    return np.clip(0.3 * np.asarray(tones) + random.normal(0, 0.05, len(time)), -1, 1)


def plain_magnitude(frame: NDArray[np.float64], bins: int, length: int) -> list[float]:
    """|sum x_n exp(-2 pi i k n / N)| for each k, by the sum itself."""
    n = np.arange(len(frame))
    return [abs(complex((frame * np.exp(-2j * np.pi * k * n / length)).sum())) for k in range(bins)]


def triangle(at: float, left: float, top: float, right: float) -> float:
    if at <= left or at >= right:
        return 0.0
    return (at - left) / (top - left) if at <= top else (right - at) / (right - top)


def htk(frequency: float) -> float:
    return 2595.0 * math.log10(1.0 + frequency / 700.0)


def plain_htk_bands(magnitudes: list[float], bands: int, lowest: float, highest: float) -> list[float]:
    edges = [htk(lowest) + (htk(highest) - htk(lowest)) * i / (bands + 1) for i in range(bands + 2)]
    step = 8000.0 / (len(magnitudes) - 1)
    return [
        sum(
            triangle(htk(step * k), edges[band], edges[band + 1], edges[band + 2]) * magnitude
            for k, magnitude in enumerate(magnitudes)
            if k > 0
        )
        for band in range(bands)
    ]


@pytest.mark.parametrize("seconds", [1.0, 0.4, 1.7])
def test_keyword_features_are_those_of_a_plain_version(seconds: float) -> None:
    samples = np.rint(sound(seconds) * 12_000).astype(np.int16)
    features = keyword_features(samples)
    assert features.shape == (49, 10, 1)
    assert features.dtype == np.float32
    whole = np.zeros(16_000)
    first = samples[:16_000] / samples[:16_000].max()
    whole[: len(first)] = first
    for number in (0, 17, 48):
        frame = [whole[320 * number + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / 480)) for n in range(480)]
        bands = plain_htk_bands(plain_magnitude(np.array(frame), 257, 512), 40, 20.0, 4000.0)
        logarithms = np.log(np.array(bands) + 1e-6)
        wanted = scipy.fft.dct(logarithms, type=2)[:10] / math.sqrt(2 * 40)
        np.testing.assert_allclose(features[number, :, 0], wanted, rtol=1e-4, atol=1e-3)


def test_silence_has_finite_features() -> None:
    assert np.isfinite(keyword_features(np.zeros(16_000, np.int16))).all()
    assert np.isfinite(wake_word_features(np.zeros(16_000))).all()
    assert np.isfinite(machine_features(np.zeros(160_000))).all()
    assert keyword_features(np.zeros(0, np.int16)).shape == (49, 10, 1)


def test_wake_word_features_are_those_of_a_plain_version() -> None:
    samples = sound(1.0, seed=1)
    features = wake_word_features(samples)
    assert features.shape == (30, 40)
    emphasized = [samples[n] - (1 - 1 / 32) * (samples[n - 1] if n else 0.0) for n in range(len(samples))]
    for number in (0, 11, 29):
        frame = [emphasized[512 * number + n] * (0.54 - 0.46 * math.cos(2 * math.pi * n / 1023)) for n in range(1024)]
        power = [magnitude**2 / 1024 for magnitude in plain_magnitude(np.array(frame), 513, 1024)]
        bands = plain_htk_bands(power, 40, 0.0, 8000.0)
        wanted = [min(1.0, max(0.0, (10 * math.log10(max(band, 1e-30)) + 52) / 64)) for band in bands]
        np.testing.assert_allclose(features[number], wanted, atol=1e-5)


def test_a_long_sound_has_the_features_of_its_pieces() -> None:
    """20 minutes are transformed in pieces of 1,024 frames."""
    samples = sound(40.0, seed=2)
    features = wake_word_features(samples)
    assert len(features) == 1 + (640_000 - 1024) // 512
    # The first sample of a piece has no predecessor there: compare frames that begin later.
    piece = wake_word_features(samples[512 * 1020 : 512 * 1020 + 8192])
    np.testing.assert_allclose(features[1021:1030], piece[1:10], atol=1e-6)


def plain_slaney(mel: float) -> float:
    """Hz of Slaney's mel scale: 200/3 Hz a mel up to 1 kHz, 27 steps a factor of 6.4 from there."""
    return mel * 200.0 / 3.0 if mel < 15.0 else 1000.0 * 6.4 ** ((mel - 15.0) / 27.0)


def test_machine_features_are_those_of_a_plain_version() -> None:
    samples = sound(10.0, seed=3)
    features = machine_features(samples)
    assert features.shape == (200, 128)
    highest = 15.0 + 27.0 * math.log(8.0) / math.log(6.4)
    edges = [plain_slaney(highest * i / 129) for i in range(130)]
    for number in (0, 99, 199):
        # Frame t is centred at sample 512 t; the first one taken is t = 50.
        start = 512 * (50 + number) - 512
        frame = [samples[start + n] * (0.5 - 0.5 * math.cos(2 * math.pi * n / 1024)) for n in range(1024)]
        power = [magnitude**2 for magnitude in plain_magnitude(np.array(frame), 513, 1024)]
        wanted = []
        for band in range(128):
            left, top, right = edges[band : band + 3]
            total = sum(triangle(8000.0 * k / 512, left, top, right) * p for k, p in enumerate(power))
            wanted.append(10 * math.log10(total * 2 / (right - left) + 2.220446049250313e-16))
        np.testing.assert_allclose(features[number], wanted, rtol=1e-4, atol=1e-3)


def test_filterbanks_are_triangles_that_cover_their_range() -> None:
    weights = mel_weights(40, 257, 20.0, 4000.0)
    assert weights.shape == (257, 40)
    assert weights[0].tolist() == [0.0] * 40
    assert weights[128:].max() < 0.2  # 4 kHz is the last edge
    assert (weights.sum(axis=1) <= 1 + 1e-9).all()
    assert (slaney_weights(128, 513).sum(axis=0) > 0).all()
