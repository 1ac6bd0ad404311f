import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgerig.tasks.pictures import picture_of


def decode(png: bytes) -> np.ndarray:
    """An independent reading of the PNG, with every checksum checked."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    position, chunks = 8, {}
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        kind, data = png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        (crc,) = struct.unpack(">I", png[position + 8 + length : position + 12 + length])
        assert crc == zlib.crc32(kind + data)
        chunks[kind] = data
        position += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8
    channels = {0: 1, 2: 3}[colour]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * channels)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3])),
        elements=st.integers(0, 255),
    )
)
def test_a_picture_decodes_to_the_sample(sample: np.ndarray) -> None:
    png = picture_of(sample)
    assert png is not None
    assert np.array_equal(decode(png), sample)


def test_floats_between_0_and_1_are_scaled() -> None:
    png = picture_of(np.array([[0.0, 1.0]], np.float32))
    assert png is not None
    assert decode(png).ravel().tolist() == [0, 255]


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2), (2, 2, 4), (1, 2, 3, 4), (0, 3, 1)])
def test_what_is_no_picture_gives_none(shape: tuple[int, ...]) -> None:
    assert picture_of(np.zeros(shape, np.uint8)) is None
