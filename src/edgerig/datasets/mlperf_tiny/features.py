"""Features of sounds as the benchmarks' reference computes them, in numpy alone.

Frames are weighted with a window and transformed; a mel filterbank sums up the spectrum; then logarithms, and for
keywords a cosine transform (Davis and Mermelstein, 1980). The constants are those of MLCommons' reference training
scripts, which use TensorFlow for keywords and wake words and librosa for machines; the two have different mel scales.
All take 16,000 samples a second.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Samples a second.
RATE = 16_000
#: Keywords: samples of a frame (30 ms) and from one to the next (20 ms), and of the transform.
KWS_FRAME, KWS_STEP, KWS_FFT = 480, 320, 512
#: Keywords: mel bands, between these frequencies, and coefficients that are taken of them.
KWS_BANDS, KWS_RANGE, KWS_COEFFICIENTS = 40, (20.0, 4000.0), 10
#: Wake words: samples of a frame (64 ms) and from one to the next (32 ms), and mel bands.
SWW_FRAME, SWW_STEP, SWW_BANDS = 1024, 512, 40
#: Wake words: the share of a sample that is taken off the next one.
SWW_EMPHASIS = 1 - 2.0**-5
#: Machines: samples of a frame and from one to the next, mel bands, and the frames in the middle that are taken.
AD_FRAME, AD_STEP, AD_BANDS, AD_FRAMES = 1024, 512, 128, slice(50, 250)
#: Least power whose logarithm is taken.
LEAST_POWER = 1e-30


def keyword_features(samples: Array) -> NDArray[np.float32]:
    """The 10 first mel-frequency cepstral coefficients of 49 frames of a second of sound.

    ``c_k = 2 / sqrt(2 M) * sum_m log(s_m + 1e-6) cos(pi k (2 m + 1) / (2 M))``, where ``s`` are the M = 40 mel bands
    of the magnitude spectrum.

    Args:
        samples: Shape (n,), any real dtype and scale: its largest value becomes 1, as in the reference. Sound shorter
            than a second is filled with zeros; what is beyond is left out.

    Returns:
        Shape (49, 10, 1), float32.
    """
    sound = np.zeros(RATE)
    sound[: min(len(samples), RATE)] = samples[:RATE]
    loudest = float(sound.max(initial=0.0))
    # The reference divides by 0 where there is silence: features of nan. Zeros stay zeros here.
    sound = sound / loudest if loudest > 0 else sound
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(KWS_FRAME) / KWS_FRAME)
    magnitudes = np.abs(np.fft.rfft(frames_of(sound, KWS_FRAME, KWS_STEP) * window, KWS_FFT))
    bands = magnitudes @ mel_weights(KWS_BANDS, KWS_FFT // 2 + 1, *KWS_RANGE)
    positions = np.arange(KWS_BANDS)[:, None] * 2 + 1
    cosines = np.cos(np.pi * np.arange(KWS_COEFFICIENTS) * positions / (2 * KWS_BANDS))
    coefficients = np.log(bands + 1e-6) @ cosines * (2 / np.sqrt(2 * KWS_BANDS))
    return np.asarray(coefficients[:, :, None], np.float32)


def wake_word_features(samples: Array) -> NDArray[np.float32]:
    """Mel bands of the power spectrum, in decibels, from 0 to 1: ``clip((10 log10(s) + 52) / 64, 0, 1)``.

    Args:
        samples: Shape (n,), n at least 1024, reals from -1 to 1.

    Returns:
        A row each 32 ms, shape (1 + (n - 1024) // 512, 40), float32.
    """
    sound = samples.astype(np.float64)
    sound = sound - SWW_EMPHASIS * np.concatenate([[0.0], sound[:-1]])
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(SWW_FRAME) / (SWW_FRAME - 1))
    weights = mel_weights(SWW_BANDS, SWW_FRAME // 2 + 1, 0.0, RATE / 2)
    frames = frames_of(sound, SWW_FRAME, SWW_STEP)
    parts = []
    # In pieces: the transforms of 20 minutes at once would take gigabytes.
    for start in range(0, len(frames), 1024):
        power = np.abs(np.fft.rfft(frames[start : start + 1024] * window)) ** 2 / SWW_FRAME
        decibels = 10 * np.log10(np.maximum(np.maximum(power, LEAST_POWER) @ weights, LEAST_POWER))
        parts.append(np.clip((decibels + 52) / 64, 0, 1).astype(np.float32))
    return np.concatenate(parts)


def machine_features(samples: Array) -> NDArray[np.float32]:
    """Mel bands of the power spectrum, in decibels: ``10 log10(s + eps)``, of the 200 frames in the middle.

    Args:
        samples: Shape (n,), reals from -1 to 1; at least 249 * 512 of them, which is 8 s.

    Returns:
        Shape (200, 128), float32; fewer rows where the sound is shorter.
    """
    half = AD_FRAME // 2
    sound = np.pad(samples.astype(np.float64), half)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(AD_FRAME) / AD_FRAME)
    power = np.abs(np.fft.rfft(frames_of(sound, AD_FRAME, AD_STEP)[AD_FRAMES] * window)) ** 2
    bands = power @ slaney_weights(AD_BANDS, half + 1)
    return (10 * np.log10(bands + np.finfo(np.float64).eps)).astype(np.float32)


def frames_of(sound: Array, length: int, step: int) -> Array:
    """Frames of ``length`` samples, one every ``step``; what is left at the end is not used.

    >>> frames_of(np.arange(6), 3, 2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    return np.lib.stride_tricks.sliding_window_view(sound, length)[::step]


@lru_cache(maxsize=8)
def mel_weights(bands: int, bins: int, lowest: float, highest: float) -> NDArray[np.float64]:
    """A filterbank of triangles that are equally wide on HTK's mel scale, ``1127 ln(1 + f / 700)``, in which they are
    linear, too; shape (bins, bands). The bin of frequency 0 belongs to none. As `tf.signal` has it.
    """
    frequencies = np.linspace(0, RATE / 2, bins)
    at = 1127 * np.log1p(frequencies / 700)
    first, last = (float(1127 * np.log1p(edge / 700)) for edge in (lowest, highest))
    edges = np.linspace(first, last, bands + 2)
    rising = (at[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at[:, None]) / (edges[2:] - edges[1:-1])
    weights: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    weights[0] = 0
    return weights


@lru_cache(maxsize=8)
def slaney_weights(bands: int, bins: int) -> NDArray[np.float64]:
    """A filterbank of triangles of equal area on Slaney's mel scale, linear up to 1 kHz and logarithmic from there;
    shape (bins, bands). As librosa has it.
    """
    linear, corner = 200 / 3, 15.0
    steepness = np.log(6.4) / 27
    highest = corner + np.log(RATE / 2 / 1000) / steepness
    mels = np.linspace(0, highest, bands + 2)
    edges = np.where(mels < corner, mels * linear, 1000 * np.exp(steepness * (mels - corner)))
    frequencies = np.linspace(0, RATE / 2, bins)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    weights: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return weights
