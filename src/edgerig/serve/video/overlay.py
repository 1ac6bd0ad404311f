"""What a network says, drawn over the frame that it says it of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.placement import Placement
from edgerig.serve.video.answers import Answer, class_map_of_frame, map_indices
from edgerig.serve.video.frame import Pixels

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Array = NDArray[Any]
#: Class of pixels that the network did not see: it has no colour.
OUTSIDE = 255
#: Height of text as a share of the frame's, and its least and greatest, in pixels.
TEXT, SMALLEST, LARGEST = 1 / 30, 11, 40
#: Classes that are named at most; and the share of pixels from which a mask's class is.
NAMED, SHARE = 6, 0.005
#: Boxes that are drawn at most.
MOST_BOXES = 100
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def blend(pixels: Pixels, class_map: NDArray[np.uint8], colours: NDArray[np.uint8]) -> Pixels:
    """A frame with the colour of each pixel's class over it, half and half; black classes are left out.

    All of it is integers of 8 bits: ``p - p // 2 + c // 2``, which cannot overflow.

    Args:
        pixels: (H, W, 3). class_map: (H, W), indices of ``colours``, (256, 3).
    """
    coloured = np.where(colours.any(axis=1), 255, 0).astype(np.uint8)
    half = pixels >> 1
    half &= coloured[class_map][..., None]
    mixed = pixels - half
    mixed += np.take(colours >> 1, class_map, axis=0)
    return mixed


class Overlay:
    """Draws the answers of one network.

    Args:
        names: Of the classes. colours: Of the classes, (256, 3).
    """

    def __init__(self, names: Sequence[str], colours: NDArray[np.uint8]) -> None:
        self.names, self.colours = tuple(names), colours
        self._fonts: dict[int, FreeTypeFont] = {}
        self._indices: dict[tuple[int, ...], tuple[Array, Array]] = {}

    def __call__(self, pixels: Pixels, answer: Answer, at: Placement, lines: Sequence[str]) -> Any:
        """A Pillow image of the frame with everything drawn on it.

        Args:
            pixels: The frame, (H, W, 3). answer: Of the network.
            at: Where the frame lies in the network's input.
            lines: Texts for the lower left corner, such as times.
        """
        from PIL import Image, ImageDraw

        texts: list[tuple[str, tuple[int, int, int]]] = []
        if answer.class_map is not None:
            pixels, texts = self._mask(pixels, answer.class_map, at)
        image = Image.fromarray(pixels)
        draw = ImageDraw.Draw(image)
        font = self._font(image.height)
        if answer.boxes is not None:
            self._boxes(draw, font, answer)
        if answer.scores is not None:
            texts = [(self._scored(answer.scores, int(i)), WHITE) for i in np.argsort(-answer.scores)[:3]]
        step = round(font.size * 1.35)
        for row, (text, colour) in enumerate(texts):
            self._text(draw, (4, 4 + row * step), text, font, colour)
        for row, text in enumerate(reversed(lines)):
            self._text(draw, (4, image.height - 4 - (row + 1) * step), text, font, WHITE)
        return image

    def frame_map(self, class_map: NDArray[np.uint8], at: Placement, height: int, width: int) -> NDArray[np.uint8]:
        """A class map at the size of the frame, `OUTSIDE` where the network did not see it."""
        size = (class_map.shape[0], class_map.shape[1])
        key = (height, width, *size)
        if key not in self._indices:
            self._indices.clear()
            self._indices[key] = map_indices(at, height, width, size)
        return class_map_of_frame(class_map, *self._indices[key], OUTSIDE)

    def _mask(
        self, pixels: Pixels, class_map: NDArray[np.uint8], at: Placement
    ) -> tuple[Pixels, list[tuple[str, tuple[int, int, int]]]]:
        counts = np.bincount(class_map.reshape(-1), minlength=256) / class_map.size
        seen = [int(number) for number in np.argsort(-counts)[:NAMED] if counts[number] >= SHARE]
        texts = [(f"{self._name(n)}: {100 * counts[n]:.0f} %", self._colour(n)) for n in seen if self.colours[n].any()]
        return blend(pixels, self.frame_map(class_map, at, *pixels.shape[:2]), self.colours), texts

    def _boxes(self, draw: Any, font: FreeTypeFont, answer: Answer) -> None:
        assert answer.boxes is not None
        assert answer.box_scores is not None
        assert answer.box_labels is not None
        thickness = max(2, font.size // 8)
        rows = zip(answer.boxes, answer.box_scores, answer.box_labels, strict=True)
        for (left, top, width, height), score, label in list(rows)[:MOST_BOXES]:
            colour = self._colour(int(label))
            corners = [left, top, left + max(1, width - 1), top + max(1, height - 1)]
            draw.rectangle(corners, outline=colour, width=thickness)
            above = max(0, top - font.size * 1.3)
            self._text(draw, (left, above), f"{self._name(int(label))}: {100 * score:.0f} %", font, colour)

    def _scored(self, scores: NDArray[np.float32], number: int) -> str:
        return f"{self._name(number)}: {100 * scores[number]:.0f} %"

    def _name(self, number: int) -> str:
        return self.names[number] if 0 <= number < len(self.names) else f"class {number}"

    def _colour(self, number: int) -> tuple[int, int, int]:
        red, green, blue = (int(value) for value in self.colours[number % 256])
        return (red, green, blue) if red or green or blue else WHITE

    def _text(
        self, draw: Any, corner: tuple[float, float], text: str, font: FreeTypeFont, colour: tuple[int, int, int]
    ) -> None:
        """Text on a dark ground, so that it is read on any frame."""
        left, top, right, bottom = draw.textbbox(corner, text, font=font)
        draw.rectangle([left - 3, top - 2, right + 3, bottom + 2], fill=BLACK)
        draw.text(corner, text, font=font, fill=colour)

    def _font(self, height: int) -> FreeTypeFont:
        from PIL import ImageFont

        size = min(LARGEST, max(SMALLEST, round(height * TEXT)))
        if size not in self._fonts:
            self._fonts[size] = ImageFont.load_default(size)  # type: ignore[assignment]
        return self._fonts[size]


def jpeg_of(image: Any, quality: int = 80) -> bytes:
    """A Pillow image as JPEG."""
    import io

    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
