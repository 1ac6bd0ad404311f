"""Strokes and documents in Python and in the page's own scripts are the same, pixel by pixel."""

from __future__ import annotations

import json
import random
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.needs import need

from edgerig.serve.labels import document, operations, raster
from edgerig.serve.labels.document import Document
from edgerig.serve.labels.operations import Record

PAGE = Path(raster.__file__).parent.parent / "pages" / "labels"
#: Larger than a tile both ways, and no multiple of one.
WIDTH, HEIGHT = 300, 270


def in_javascript(script: str) -> Any:
    """What a script prints as JSON that uses the page's own modules."""
    need("node")
    imports = "".join(f"import * as {name} from {json.dumps((PAGE / f'{name}.js').as_uri())};\n" for name in MODULES)
    done = subprocess.run(
        ["node", "--input-type=module"], input=imports + script, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


MODULES = ("raster", "document")


def brute_force(points: list[int], radius: int) -> np.ndarray:
    """The rule in its own words: a disc at each pixel of the line."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for x, y in set(raster.line(points)):
        mask |= (columns - x) ** 2 + (rows - y) ** 2 <= radius * (radius + 1)
    return mask


STROKES: dict[str, tuple[list[int], int]] = {
    "a pixel": ([5, 6], 0),
    "a disc": ([50, 60], 7),
    "a thin line": ([10, 20, 290, 250], 0),
    "steep, and back over itself": ([100, 10, 110, 260, 90, 15], 3),
    "over the border of tiles": ([250, 250, 262, 262, 240, 262], 5),
    "out of the picture and in again": ([-40, 100, 340, 120, 150, -60, 150, 330], 11),
    "outside": ([-500, -500, -400, -500], 4),
    "larger than the picture": ([150, 135], 300),
    "the same point again": ([40, 40, 40, 40, 40, 40], 2),
    "along the axes": ([30, 30, 200, 30, 200, 200, 30, 200, 30, 30], 1),
}


def painted(points: list[int], radius: int) -> np.ndarray:
    canvas = raster.Canvas(WIDTH, HEIGHT)
    for patch in raster.stroke(points, radius, WIDTH, HEIGHT):
        canvas.paint("m", patch)
    return canvas.mask("m")


@pytest.mark.parametrize("name", STROKES)
def test_a_stroke_is_a_disc_at_each_pixel_of_its_lines(name: str) -> None:
    points, radius = STROKES[name]
    np.testing.assert_array_equal(painted(points, radius), brute_force(points, radius))


def test_a_stroke_of_many_batches_has_no_gap() -> None:
    points = [value for step in range(15) for value in (step * 37 % WIDTH, step * 53 % HEIGHT)]
    assert len(list(raster.line(points))) > 2 * raster.BATCH
    np.testing.assert_array_equal(painted(points, 2), brute_force(points, 2))


def test_discs_are_round_and_line_ends_are_pixels_of_the_line() -> None:
    assert raster.half_widths(0).tolist() == [0]
    assert raster.half_widths(1).tolist() == [1, 1, 1]
    assert raster.half_widths(3).tolist() == [1, 2, 3, 3, 3, 2, 1]
    assert list(raster.line([3, 3, 0, 2])) == [(3, 3), (2, 3), (1, 2), (0, 2)]


def test_runs_and_masks_are_each_other() -> None:
    mask = np.random.default_rng(1).random((HEIGHT, WIDTH)) > 0.5
    np.testing.assert_array_equal(raster.mask_of(raster.runs_of(mask), WIDTH, HEIGHT), mask)
    assert raster.runs_of(np.zeros((2, 2), bool)) == []
    assert raster.runs_of(np.ones((2, 2), bool)) == [0, 4]
    assert raster.mask_of([], 2, 1).tolist() == [[False, False]]


def test_the_page_paints_the_same_strokes() -> None:
    answer = in_javascript(f"""
      const result = {{}};
      for (const [name, [points, radius]] of Object.entries({json.dumps(STROKES)})) {{
        const canvas = new raster.Canvas({WIDTH}, {HEIGHT});
        raster.strokeSpans(points, radius, canvas.whole, (y, from, to) => canvas.paint("m", y, from, to));
        result[name] = canvas.runs("m");
      }}
      console.log(JSON.stringify(result));
    """)
    for name, (points, radius) in STROKES.items():
        assert answer[name] == raster.runs_of(painted(points, radius)), name


def crossed(points: list[int]) -> np.ndarray:
    """The even-odd rule in its own words, in exact fractions."""
    corners = list(zip(points[::2], points[1::2], strict=True))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for row in range(HEIGHT):
        middle, crossings = Fraction(2 * row + 1, 2), list[Fraction]()
        for (x, y), (end_x, end_y) in zip(corners, [*corners[1:], corners[0]], strict=True):
            if min(y, end_y) < middle < max(y, end_y):
                crossings.append(x + (middle - y) * Fraction(end_x - x, end_y - y))
        if crossings:
            for column in range(WIDTH):
                mask[row, column] = sum(Fraction(2 * column + 1, 2) > each for each in crossings) % 2
    return mask


OUTLINES = {
    "a box": [10, 20, 60, 20, 60, 50, 10, 50],
    "edges through the middles of pixels": [10, 10, 40, 40, 10, 40],
    "a star that crosses itself": [150, 10, 220, 250, 20, 90, 280, 90, 80, 250],
    "a line": [10, 10, 90, 90, 50, 50],
    "no height": [10, 10, 90, 10, 50, 10],
    "the whole picture": [0, 0, WIDTH, 0, WIDTH, HEIGHT, 0, HEIGHT],
}


@pytest.mark.slow
def test_an_area_is_filled_by_the_even_odd_rule_here_and_on_the_page() -> None:
    answer = in_javascript(f"""
      const result = {{}};
      for (const [name, points] of Object.entries({json.dumps(OUTLINES)})) {{
        const canvas = new raster.Canvas({WIDTH}, {HEIGHT});
        raster.fillSpans(points, canvas.whole, (y, from, to) => canvas.paint("m", y, from, to));
        result[name] = canvas.runs("m");
      }}
      console.log(JSON.stringify(result));
    """)
    for name, points in OUTLINES.items():
        canvas = raster.Canvas(WIDTH, HEIGHT)
        for patch in raster.fill(points, WIDTH, HEIGHT):
            canvas.paint("m", patch)
        np.testing.assert_array_equal(canvas.mask("m"), crossed(points), name)
        assert answer[name] == raster.runs_of(canvas.mask("m")), name
    assert len(answer["the whole picture"]) == 2


# ---- documents

CLASSES = ("car", "road", "tree")
BASE: tuple[operations.Shape, ...] = (
    operations.Pixels("base:0", "car", (1000, 90, 1300, 95, 60_000, 200)),
    operations.Pixels("base:1", "tree", (1350, 100)),
    operations.Box("base:2", "road", (1.5, 2, 30, 40)),
    operations.Polygon("base:3", "tree", (((10, 10, 50, 10, 30, 60), (20, 20, 30, 20, 25, 30)),)),
)


def random_operation(rng: random.Random, ids: list[str]) -> operations.Operation:
    masks = ["mask:0", "mask:1", "base:0", "base:1", "net:0"]
    shapes = [*masks, "base:2", "base:3", "box:1", "polygon:1"]
    label = rng.choice(CLASSES)
    kind = rng.choice(
        ["stroke"] * 6 + ["undo"] * 3 + ["redo", "put", "delete", "relabel", "accept", "classify", "mark"]
    )
    if kind == "stroke":
        points = tuple(rng.randrange(-20, 320) for _ in range(2 * rng.randrange(1, 5)))
        erase = rng.random() < 0.35
        mask = "" if erase and rng.random() < 0.5 else rng.choice([*masks, "box:1"])
        if rng.random() < 0.3:
            corners = tuple(rng.randrange(0, HEIGHT + 1) for _ in range(2 * rng.randrange(3, 7)))
            return operations.Fill(mask, "" if erase else label, corners, erase)
        return operations.Stroke(mask, "" if erase else label, rng.choice([0, 1, 4, 15]), points, erase)
    if kind == "put":
        box = operations.Box("box:1", label, (rng.randrange(99), 5, 20, 10))
        polygon = operations.Polygon("polygon:1", label, (((0, 0, 20, 0, rng.randrange(20), 20),),))
        return operations.Put(rng.choice([box, polygon]))
    simple: dict[str, operations.Operation] = {
        "undo": operations.Undo(rng.choice(ids or ["none"])),
        "redo": operations.Redo(rng.choice(ids or ["none"])),
        "delete": operations.Delete(rng.choice(shapes)),
        "relabel": operations.Relabel(rng.choice(shapes), label),
        "accept": operations.Accept((rng.choice(shapes), "net:0", "net:1"), label=rng.random() < 0.5),
        "classify": operations.Classify(rng.choice([label, None])),
        "mark": operations.Mark(rng.choice(["done", "doubtful", "unlabelled"])),
    }
    return simple[kind]


def history(seed: int) -> list[Record]:
    """Operations of two people and a network, some upon revisions long gone."""
    rng, records = random.Random(seed), list[Record]()
    for revision in range(1, 41):
        who, operation = rng.choice(["Ann", "Bob"]), random_operation(rng, [record.id for record in records])
        if revision == 9:
            shapes = (
                operations.Pixels("net:0", "road", (900, 400, 2100, 250)),
                operations.Box("net:1", "car", (1, 1, 9, 9)),
            )
            who, operation = "", operations.Propose("unet", shapes, (0.9, 0.8), "car", 0.7)
        if revision == 20:
            who, operation = "", operations.Propose("net2", (operations.Pixels("net:0", "tree", (5000, 300)),), (0.5,))
        upon = max(0, revision - 1 - rng.choice([0, 0, 1, 5]))
        records.append(Record("a.png", revision, f"id{revision}", who, upon, 0.0, operation))
    return records


def state_of(labels: Document) -> dict[str, Any]:
    masks = [name for name, label in labels.labels.items() if isinstance(label.shape, operations.Pixels)]
    return {
        "labels": [
            [name, msgspec.to_builtins(label.shape), label.by, label.changed, label.model]
            for name, label in labels.labels.items()
        ],
        "masks": {name: raster.runs_of(labels.mask(name)) for name in masks},
        "picture": [labels.label, labels.label_by, labels.label_model, labels.state, labels.people],
    }


#: The state of a page's document in the same form.
STATE = """
  const shapeOf = (shape) => shape.type === "mask" ? { ...shape, runs: [] } : shape;
  const stateOf = (d) => ({
    labels: [...d.labels].map(([name, l]) => [name, shapeOf(l.shape), l.by, l.changed, l.model]),
    masks: Object.fromEntries([...d.labels].filter(([, l]) => l.shape.type === "mask")
      .map(([name]) => [name, d.canvas.runs(name)])),
    picture: [d.label, d.labelBy, d.labelModel, d.state, d.people],
  });
"""
SEEDS = range(12)


@pytest.mark.slow
def test_the_page_folds_operations_to_the_same_labels_however_they_come() -> None:
    """One after another; acknowledged while others' come between; and all at once."""
    histories = {seed: msgspec.to_builtins(history(seed)) for seed in SEEDS}
    answer = in_javascript(f"""
      {STATE}
      const base = {json.dumps(msgspec.to_builtins(BASE))}, histories = {json.dumps(histories)};
      const fresh = () => new document.Document({WIDTH}, {HEIGHT}, base, {{ label: "tree", state: "" }});
      const result = {{}};
      for (const [seed, records] of Object.entries(histories)) {{
        const steps = fresh(), mine = fresh(), whole = fresh();
        for (const record of records) steps.receive(record);
        // Ann's operations are her page's own at first: they wait while others' are taken.
        let waiting = [];
        for (const record of records) {{
          if (record.who === "Ann" && waiting.length < 3) {{ mine.add(record); waiting.push(record); continue; }}
          if (record.who === "Ann") {{ waiting.push(record); mine.add(record); }}
          else waiting.push(record);
          if (waiting.length > 5) for (const each of waiting.splice(0)) mine.receive(each);
        }}
        for (const each of waiting) mine.receive(each);
        whole.confirmed = records;
        whole.fold(whole.canvas.whole);
        result[seed] = [steps, mine, whole].map(stateOf);
      }}
      console.log(JSON.stringify(result));
    """)
    kinds = set()
    for seed in SEEDS:
        records = history(seed)
        expected = json.loads(json.dumps(state_of(Document(WIDTH, HEIGHT, BASE, label="tree").fold(records))))
        for way, state in zip(("one by one", "with its own before", "at once"), answer[str(seed)], strict=True):
            assert state == expected, (seed, way)
        kinds |= {type(record.operation).__name__ for record in records}
    assert len(kinds) == 11
    assert document.Document is Document
