"""Raw samples as PNG files, by a minimal writer."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def picture_of(sample: NDArray[Any]) -> bytes | None:
    """A PNG of one raw sample, or None if it is no picture.

    Args:
        sample: (H, W), (H, W, 1) or (H, W, 3); uint8, or float in 0..1.

    Format: PNG (ISO/IEC 15948), 8 bits a channel, grey or RGB, filter 0 in every row.
    """
    if sample.ndim == 2:
        sample = sample[:, :, None]
    if sample.ndim != 3 or sample.shape[2] not in (1, 3) or 0 in sample.shape:
        return None
    if sample.dtype != np.uint8:
        if not np.issubdtype(sample.dtype, np.floating):
            return None
        scaled = np.nan_to_num(sample) * (255 if float(np.nanmax(sample)) <= 1 else 1)
        sample = np.clip(scaled, 0, 255).astype(np.uint8)
    height, width, channels = sample.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = sample.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def as_rgb(image: NDArray[Any]) -> NDArray[np.uint8] | None:
    """A copy of an image in RGB, (H, W, 3), or None if it is none; images as of `picture_of`, floats in 0..1."""
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or 0 in image.shape:
        return None
    if image.dtype != np.uint8:
        if not np.issubdtype(image.dtype, np.floating):
            return None
        image = np.clip(np.nan_to_num(image) * 255, 0, 255).astype(np.uint8)
    return np.broadcast_to(image, (*image.shape[:2], 3)).copy()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
