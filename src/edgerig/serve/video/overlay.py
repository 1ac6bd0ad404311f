"""What a network says, drawn over the frame that it says it of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.placement import Placement
from edgerig.serve.video.answers import Answer, is_whole, map_indices, shares_of
from edgerig.serve.video.frame import Pixels
from edgerig.serve.video.texts import Texts

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Array = NDArray[Any]
#: Class of pixels that the network did not see: it has no colour.
OUTSIDE = 255
#: Classes that are named at most; and the share of pixels from which a mask's class is.
NAMED, SHARE = 6, 0.005
#: Boxes that are drawn at most.
MOST_BOXES = 100
#: Pixels of a frame's shorter side below which it is enlarged, that it has then, and most of the longer one.
SMALL, LEGIBLE, LARGEST = 120, 240, 1280
WHITE = (255, 255, 255)


def blend(
    pixels: Pixels,
    class_map: NDArray[np.uint8],
    colours: NDArray[np.uint8],
    indices: tuple[Array, Array] | None = None,
) -> Pixels:
    """A frame with the colour of each pixel's class over it, half and half; black classes are left out.

    All of it is integers of 8 bits: ``p - p // 2 + c // 2``, which cannot overflow. Pillow looks colours up, as in a
    palette: numpy takes four times as long to gather three bytes a pixel. Rows of a smaller map are looked up once.

    Args:
        pixels: (H, W, 3). class_map: (h, w), indices of ``colours``, (256, 3).
        indices: Row and column of the map for each row and column of the frame, as `map_indices` gives them; None for a
            map of the frame's size.
    """
    from PIL import Image

    rows: Array | None = None
    if indices is not None:
        class_map, rows = _across(class_map, *indices)
    # Half a colour leaves the highest bit free, which says whether there is one: one table tells both.
    table = (colours >> 1) | np.where(colours.any(axis=1), 128, 0).astype(np.uint8)[:, None]
    classes = Image.fromarray(class_map)
    classes.putpalette(table.tobytes())
    looked_up = np.asarray(classes.convert("RGB"))
    halved = looked_up >> 7
    halved *= 127
    colour = looked_up & 127
    if rows is not None:
        halved = halved.take(rows, axis=0)
    mixed = pixels >> 1
    mixed &= halved
    mixed = np.subtract(pixels, mixed, out=mixed)
    mixed += colour if rows is None else np.take(colour, rows, axis=0, out=halved, mode="clip")
    return np.asarray(mixed, np.uint8)


def _across(class_map: NDArray[np.uint8], rows: Array, columns: Array) -> tuple[NDArray[np.uint8], Array | None]:
    """A class map as wide as a frame, and the row of it for each of the frame's: None where they are the same.

    What the network did not see is `OUTSIDE`, of which one row is added where rows are.
    """
    if not is_whole(columns, class_map.shape[1]):
        class_map = np.take(class_map, columns, axis=1)
        class_map[:, columns < 0] = OUTSIDE
    if is_whole(rows, len(class_map)):
        return np.ascontiguousarray(class_map), None
    if rows.min() < 0:
        rows = np.where(rows < 0, len(class_map), rows)
        class_map = np.concatenate([class_map, np.full((1, class_map.shape[1]), OUTSIDE, np.uint8)])
    return np.ascontiguousarray(class_map), rows


class Overlay:
    """Draws the answers of one network.

    Args:
        names: Of the classes. colours: Of the classes, (256, 3).
    """

    def __init__(self, names: Sequence[str], colours: NDArray[np.uint8]) -> None:
        self.names, self.colours = tuple(names), colours
        self._texts = Texts(self.names)
        self._indices: dict[tuple[int, ...], tuple[Array, Array]] = {}

    def __call__(self, pixels: Pixels, answer: Answer, at: Placement, lines: Sequence[str]) -> Any:
        """A Pillow image of the frame with everything drawn on it; a small one is enlarged by a whole factor.

        Args:
            pixels: The frame, (H, W, 3). answer: Of the network.
            at: Where the frame lies in the network's input.
            lines: Texts for the lower left corner, such as times.
        """
        from PIL import Image

        texts: list[tuple[str, tuple[int, int, int]]] = []
        if answer.class_map is not None:
            pixels, texts = self._mask(pixels, answer.class_map, at)
        image = Image.fromarray(pixels)
        factor = enlargement(image.height, image.width)
        if factor > 1:
            image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
        font = self._texts.font(image.height)
        if answer.boxes is not None:
            self._boxes(image, font, answer, factor)
        if answer.scores is not None:
            texts = [(self._scored(answer.scores, int(i)), WHITE) for i in np.argsort(-answer.scores)[:3]]
        step = round(font.size * 1.35)
        for row, (text, colour) in enumerate(texts):
            self._texts.draw(image, (4, 4 + row * step), text, font, colour)
        for row, text in enumerate(reversed(lines)):
            self._texts.draw(image, (4, image.height - 4 - (row + 1) * step), text, font, WHITE)
        return image

    def _places(self, class_map: NDArray[np.uint8], at: Placement, height: int, width: int) -> tuple[Array, Array]:
        """Row and column of a class map for each row and column of a frame."""
        size = (class_map.shape[0], class_map.shape[1])
        key = (height, width, *size)
        indices = self._indices.get(key)
        if indices is None:
            indices = map_indices(at, height, width, size)
            # Several threads may draw: what they have is replaced, and never changed.
            self._indices = {key: indices}
        return indices

    def _mask(
        self, pixels: Pixels, class_map: NDArray[np.uint8], at: Placement
    ) -> tuple[Pixels, list[tuple[str, tuple[int, int, int]]]]:
        shares = shares_of(class_map, len(self.names))
        seen = [int(n) for n in np.argsort(-shares, kind="stable")[:NAMED] if shares[n] >= SHARE]
        texts = [(f"{self._name(n)}: {100 * shares[n]:.0f} %", self._colour(n)) for n in seen if self.colours[n].any()]
        return blend(pixels, class_map, self.colours, self._places(class_map, at, *pixels.shape[:2])), texts

    def _boxes(self, image: Any, font: FreeTypeFont, answer: Answer, factor: int) -> None:
        from PIL import ImageDraw

        assert answer.boxes is not None
        assert answer.box_scores is not None
        assert answer.box_labels is not None
        draw, thickness = ImageDraw.Draw(image), max(2, round(font.size / 8))
        rows = zip(answer.boxes * factor, answer.box_scores, answer.box_labels, strict=True)
        for (left, top, width, height), score, label in list(rows)[:MOST_BOXES]:
            colour = self._colour(int(label))
            corners = [left, top, left + max(1, width - 1), top + max(1, height - 1)]
            draw.rectangle(corners, outline=colour, width=thickness)
            above = max(0, top - font.size * 1.3)
            self._texts.draw(image, (left, above), f"{self._name(int(label))}: {100 * score:.0f} %", font, colour)

    def _scored(self, scores: NDArray[np.float32], number: int) -> str:
        return f"{self._name(number)}: {100 * scores[number]:.0f} %"

    def _name(self, number: int) -> str:
        return self.names[number] if 0 <= number < len(self.names) else f"class {number}"

    def _colour(self, number: int) -> tuple[int, int, int]:
        red, green, blue = (int(value) for value in self.colours[number % 256])
        return (red, green, blue) if red or green or blue else WHITE


def enlargement(height: int, width: int) -> int:
    """How many pixels along each side a pixel of a small frame is drawn as, so that texts do not cover it.

    >>> enlargement(28, 28), enlargement(120, 160), enlargement(2, 4000)
    (9, 1, 1)
    """
    if min(height, width) >= SMALL:
        return 1
    return max(1, min(-(-LEGIBLE // min(height, width)), LARGEST // max(height, width)))


def jpeg_of(image: Any, quality: int = 80) -> bytes:
    """A Pillow image as JPEG."""
    import io

    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
