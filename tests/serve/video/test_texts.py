"""Texts on pictures: in a font that has their letters, or in letters that the font has."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.serve.video import texts
from edgerig.serve.video.texts import Texts, in_letters_of, load_font

NAMES = ("Fußgänger", "świetlik", "road")


def drawn(text: str, names: tuple[str, ...] = NAMES) -> np.ndarray:
    from PIL import Image

    image = Image.new("RGB", (200, 40), (90, 90, 90))
    writer = Texts(names)
    writer.draw(image, (4, 4), text, writer.font(480), (255, 255, 255))
    return np.asarray(image)


def test_ascii_is_drawn_as_pillow_draws_it() -> None:
    from PIL import ImageFont

    own = ImageFont.load_default(16)
    assert load_font(16, frozenset()).getname() == own.getname()  # type: ignore[union-attr]
    assert in_letters_of(load_font(16, frozenset()), "road: 90 %") == "road: 90 %"


def test_letters_that_no_font_here_has_stand_without_their_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "FONTS", ("none-of-that-name.ttf",))
    font = load_font(16, frozenset("ßäś"))
    assert in_letters_of(font, "Fußgänger, świetlik → 道") == "Fussganger, swietlik ? ?"
    np.testing.assert_array_equal(drawn("Fußgänger"), drawn("Fussganger"))
    assert (drawn("ä") != drawn("ö")).any()


def test_a_font_of_this_machine_is_taken_where_it_has_more_of_the_letters() -> None:
    from PIL import ImageFont

    try:
        ImageFont.truetype(texts.FONTS[0], 16)
    except OSError:
        pytest.skip(f"{texts.FONTS[0]} is not on this machine")
    font = load_font(16, frozenset("ßäś"))
    assert in_letters_of(font, "Fußgänger, świetlik") == "Fußgänger, świetlik"
    assert (drawn("Fußgänger") != drawn("Fussganger")).any()
    # For names in ASCII nothing changes.
    np.testing.assert_array_equal(drawn("road", ("road", "car")), drawn("road", ("tree",)))
