"""From strokes to the picture that a network sees, in Python and in JavaScript."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need

from edgerig.errors import UsageError
from edgerig.serve import drawing, drawing_files

#: The ten digits as they were drawn for the example.
TEN = json.loads((Path(__file__).parents[2] / "examples" / "digits" / "strokes.json").read_text())
PAGE = Path(drawing.__file__).parent / "pages" / "digits"

#: Recorded with a mouse; a dot, a line out of the paper, an empty stroke and fractions of pixels are among them.
RECORDED: dict[str, list[list[tuple[float, float]]]] = {
    "seven": [[(62.5, 58), (110, 55), (186.25, 60), (160, 110), (128, 170), (112, 214)]],
    "small four": [[(40, 30), (35, 52), (60, 54)], [(58, 40), (57, 78)]],
    "dot": [[(200, 30)]],
    "beyond": [[(-40, 120), (290, 130)], [(120, -1000), (125, 900)]],
    "nothing": [[]],
    "curve": [[(125 + 60 * math.cos(t / 9), 90.3 + 50 * math.sin(t / 9)) for t in range(57)], [(180, 90), (170, 230)]],
    "one": [[(99.9, 20.1), (100.7, 240.3)]],
}


@pytest.fixture(scope="module")
def in_javascript() -> dict[str, dict[str, Any]]:
    """What the page's code makes of the same strokes."""
    need("node")
    script = f"""
    import * as drawing from {json.dumps((PAGE / "drawing.js").as_uri())};
    import * as files from {json.dumps((PAGE / "export.js").as_uri())};
    const result = {{}};
    for (const [name, strokes] of Object.entries({json.dumps(RECORDED)})) {{
      const centred = drawing.picture(strokes), whole = drawing.picture(strokes, {{centred: false}});
      const thin = drawing.picture(strokes, {{pen: 7.5}});
      result[name] = {{centred: [...centred], whole: [...whole], thin: [...thin], ink: [...drawing.ink(strokes)],
        png: [...files.pngOf(centred)], text: files.textOf(centred), header: files.headerOf(centred)}};
    }}
    console.log(JSON.stringify(result));
    """
    done = subprocess.run(
        ["node", "--input-type=module"], input=script, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("name", RECORDED)
def test_the_page_makes_the_same_pictures_and_files(name: str, in_javascript: dict[str, dict[str, Any]]) -> None:
    strokes, page = RECORDED[name], in_javascript[name]
    seen = drawing.picture(strokes)
    assert page["ink"] == drawing.ink(drawing.check_strokes(strokes)).ravel().tolist()
    assert page["centred"] == seen.ravel().tolist()
    assert page["whole"] == drawing.picture(strokes, centred=False).ravel().tolist()
    assert page["thin"] == drawing.picture(strokes, pen=7.5).ravel().tolist()
    assert bytes(page["png"]) == drawing_files.png_of(seen)
    assert page["text"].encode() == drawing_files.text_of(seen)
    assert page["header"].encode() == drawing_files.header_of(seen)


def mass(seen: drawing.Picture) -> tuple[float, float]:
    """The centre of mass in pixels from the left and the upper edge."""
    pixels, middles = seen.astype(float), np.arange(28) + 0.5
    return float(pixels.sum(0) @ middles / pixels.sum()), float(pixels.sum(1) @ middles / pixels.sum())


def moved(
    strokes: list[list[tuple[float, float]]], scale: float, x: float, y: float
) -> list[list[tuple[float, float]]]:
    return [[(px * scale + x, py * scale + y) for px, py in stroke] for stroke in strokes]


def test_drawn_digits_have_the_box_the_centre_and_the_ink_of_mnist() -> None:
    from edgerig.datasets.mnist import Mnist

    dataset = Mnist()
    dataset.prepare()
    test = dataset.split("test")
    digits = test.raw(slice(None)).reshape(-1, 28, 28)  # type: ignore[arg-type]
    centres = np.array([mass(digit) for digit in digits])
    assert centres.mean(0) == pytest.approx([drawing.CENTRE] * 2, abs=0.02)
    ratios = []
    for digit, strokes in TEN.items():
        wanted = np.median(digits[test.labels == int(digit)].mean((1, 2)))
        ratios.append(drawing.picture(strokes).mean() / wanted)
    assert np.exp(np.mean(np.log(ratios))) == pytest.approx(1, abs=0.03)
    for name in ("seven", "small four", "curve"):
        seen = drawing.picture(RECORDED[name])
        rows, columns = np.flatnonzero(seen.max(1) >= 64), np.flatnonzero(seen.max(0) >= 64)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (20, 21), name
        assert mass(seen) == pytest.approx((drawing.CENTRE, drawing.CENTRE), abs=0.02)
        assert seen.max() == 255


def test_where_and_how_large_a_digit_is_drawn_matters_only_on_the_whole_paper() -> None:
    seven = RECORDED["seven"]
    elsewhere = moved(seven, 0.4, 130, 20)
    assert np.abs(drawing.picture(elsewhere).astype(int) - drawing.picture(seven)).max() <= 1
    whole = drawing.picture(elsewhere, centred=False)
    assert np.abs(whole.astype(int) - drawing.picture(seven, centred=False)).max() > 200
    assert np.flatnonzero(whole.max(0)).min() >= 14


def test_shrinking_loses_no_ink_and_averages_areas() -> None:
    paper = np.random.default_rng(1).integers(0, 256, (250, 250)).astype(np.uint8)
    exact = np.zeros((28, 28))
    for row, column in itertools.product(range(28), repeat=2):
        exact[row, column] = area_mean(paper, column * 250 / 28, row * 250 / 28)
    assert np.abs(drawing.shrunk(paper) - exact).max() <= 0.5 + 1e-9
    black = np.full((250, 250), 255, np.uint8)
    assert (drawing.shrunk(black) == 255).all()
    assert drawing.shrunk(black, (28 * 125, 0))[:, :14].max() == 0
    assert drawing.shrunk(black, (28 * 125, 0))[:, 14:].min() == 255


def area_mean(paper: drawing.Picture, x: float, y: float) -> float:
    """The mean of the square of a 28th of the paper at (x, y), in reals."""
    side = 250 / 28

    def weights(start: float) -> Any:
        edges = np.arange(250)
        return np.clip(np.minimum(edges + 1, start + side) - np.maximum(edges, start), 0, None) / side

    return float(weights(y) @ paper.astype(float) @ weights(x))


@pytest.mark.parametrize("tall", [True, False])
def test_no_ink_leaves_the_picture_where_the_mass_lies_at_one_end(tall: bool) -> None:
    """Much ink at one end of a long line: the centre of mass would push the other end out."""
    blot = [(100 + x, 30 + y) for x in range(0, 41, 4) for y in range(0, 41, 4)]
    strokes = [blot, [(120, 30), (120, 230)]]
    turned = strokes if tall else [[(y, x) for x, y in stroke] for stroke in strokes]
    paper = drawing.ink(drawing.fitted(turned))
    seen = drawing.shrunk(paper, drawing.mass_shift(paper))
    assert seen.sum() == pytest.approx(paper.sum() * (28 / 250) ** 2, rel=0.005)


def test_a_line_is_black_in_its_middle_and_smooth_at_its_edge() -> None:
    paper = drawing.ink([[(50, 125), (200, 125)]], 10.0)
    assert paper[:, 125].tolist() == [0] * 120 + [255] * 10 + [0] * 120
    oblique = drawing.ink([[(50, 50), (200, 130)]], 10.0)
    assert ((oblique > 0) & (oblique < 255)).sum() > 200
    assert oblique.sum() / 255 == pytest.approx(170 * 10 + math.pi * 25, rel=0.01)


def test_files_are_read_back_as_the_same_picture(tmp_path: Path) -> None:
    import io

    from PIL import Image

    seen = drawing.picture(RECORDED["seven"])
    for suffix in drawing_files.WRITERS:
        drawing_files.save(seen, tmp_path / f"digit{suffix}")
    image = Image.open(io.BytesIO((tmp_path / "digit.png").read_bytes()))
    assert (image.mode, image.size) == ("L", (28, 28))
    assert np.array_equal(np.asarray(image), seen)
    reals = np.loadtxt(tmp_path / "digit.txt", dtype=np.float32)
    assert np.array_equal(reals, seen.astype(np.float32) / np.float32(255))


def test_the_c_header_compiles_and_holds_the_same_floats(tmp_path: Path) -> None:
    need("cc")
    seen = drawing.picture(RECORDED["curve"])
    drawing_files.save(seen, tmp_path / "digit.h")
    source = '#include "digit.h"\n#include <stdio.h>\nint main(void) { return fwrite(digit, 4, 784, stdout) != 784; }\n'
    (tmp_path / "main.c").write_text(source)
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99"]
    subprocess.run(["cc", *flags, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    data = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout
    assert np.array_equal(np.frombuffer(data, np.float32), seen.ravel().astype(np.float32) / np.float32(255))


@pytest.mark.parametrize(
    ("strokes", "reason"),
    [
        ([[(1, 2, 3)]], "no point"),
        ([["ab"]], "no point"),
        ([[(1, None)]], "no point"),
        ([[(math.nan, 1)]], "250x250"),
        ([[(1, math.inf)]], "250x250"),
        ([[(1, 2)] * 100_001], "at most 100,000"),
        ("strokes", "lists of points"),
        ([5], "list of points"),
        ({"x": 1}, "lists of points"),
    ],
)
def test_what_is_no_drawing_is_refused(strokes: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        drawing.picture(strokes)


@pytest.mark.parametrize("pen", [0.0, -3.0, 1000.0, math.nan])
def test_a_pen_of_an_impossible_width_is_refused(pen: float) -> None:
    with pytest.raises(UsageError, match="1 to 100 pixels wide"):
        drawing.picture(RECORDED["seven"], pen=pen)


def test_a_file_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"saved as digit\.gif"):
        drawing_files.save(drawing.picture(RECORDED["seven"]), tmp_path / "digit.gif")
    assert not list(tmp_path.iterdir())
