"""Lines of text, drawn on pictures in a font that has their letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

#: Height of text as a share of the picture's, and its least and greatest, in pixels.
TEXT, SMALLEST, LARGEST = 1 / 30, 11, 40
#: Parts that texts are drawn in: times and shares change with each frame, their digits and what is between them do not.
PARTS = re.compile(r"\d|\D+")
#: Pictures of such parts that are remembered.
STRIPS = 200
#: Fonts that systems have, for names of classes in other letters than ASCII: Pillow's own font has no others.
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "FreeSans.ttf", "Arial.ttf")
#: Letters without marks that a compatibility decomposition does not find.
_PLAIN = {"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"}
#: A character of no font.
_NOWHERE = "\uffff"
BLACK = (0, 0, 0)

Colour = tuple[int, int, int]


class Texts:
    """Draws texts of one line on a dark ground, so that they are read on any picture.

    Args:
        names: What is drawn besides ASCII, such as the names of classes. Where this machine has no font with their
            letters, these are drawn without their marks.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._letters = frozenset(letter for name in names for letter in name if not letter.isascii())
        self._fonts: dict[int, FreeTypeFont] = {}
        self._strips: dict[tuple[Any, ...], Any] = {}

    def font(self, height: int) -> FreeTypeFont:
        """The font for a picture of that height, in pixels."""
        size = min(LARGEST, max(SMALLEST, round(height * TEXT)))
        if size not in self._fonts:
            self._fonts[size] = load_font(size, self._letters)
        return self._fonts[size]

    def draw(self, image: Any, corner: tuple[float, float], text: str, font: FreeTypeFont, colour: Colour) -> None:
        """Draw ``text`` on a Pillow image, its upper left corner at ``corner`` (x, y)."""
        left, top = max(0, round(corner[0]) - 3), max(0, round(corner[1]) - 2)
        parts = [self._strip(part, font, colour) for part in PARTS.findall(text)]
        width = sum(part.width for part in parts)
        image.paste(BLACK, (left, top, left + width + 6, top + round(font.size * 1.3) + 2))
        at = left + 3
        for part in parts:
            image.paste(part, (at, top))
            at += part.width

    def _strip(self, text: str, font: FreeTypeFont, colour: Colour) -> Any:
        """A picture of a part of a text; the last ones are remembered: to draw them takes longer than all the rest."""
        from PIL import Image, ImageDraw

        key = (text, font.size, colour)
        strip = self._strips.get(key)
        if strip is None:
            shown = in_letters_of(font, text)
            strip = Image.new("RGB", (round(font.getlength(shown)), round(font.size * 1.3) + 2), BLACK)
            ImageDraw.Draw(strip).text((0, 1), shown, font=font, fill=colour)
            if len(self._strips) >= STRIPS:
                self._strips = {}
            self._strips[key] = strip
        return strip


def load_font(size: int, letters: frozenset[str]) -> FreeTypeFont:
    """Pillow's own font for ASCII alone, else the one on this machine, of `FONTS`, that lacks the fewest ``letters``.

    Args:
        size: In pixels.
    """
    from PIL import ImageFont

    own: FreeTypeFont = ImageFont.load_default(size)  # type: ignore[assignment]
    fonts = [own]
    for name in FONTS if letters else ():
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return min(fonts, key=lambda font: sum(not _has(font, letter) for letter in letters))


def in_letters_of(font: FreeTypeFont, text: str) -> str:
    """``text`` in letters that the font has: one that it lacks stands without its marks, or as a question mark."""
    return "".join(letter if letter.isascii() or _has(font, letter) else _without_marks(letter) for letter in text)


def _has(font: FreeTypeFont, letter: str) -> bool:
    return _shape(font, letter) != _shape(font, _NOWHERE)


@lru_cache(1000)
def _shape(font: FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _without_marks(letter: str) -> str:
    """
    >>> [_without_marks(letter) for letter in "äßé→"]
    ['a', 'ss', 'e', '?']
    """
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return _PLAIN.get(letter, plain) or "?"
