"""Drift between two versions: quantities by hand, intervals, and the page."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.command_line import Call, edgerig

from edgerig.datasets.labels.canonical import to_json
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape
from edgerig.datasets.stored.drift import label_shifts, shifts
from edgerig.datasets.stored.label_looks import Grouped, row_of
from edgerig.datasets.stored.looks import Looks, look_at, looks_of
from edgerig.datasets.stored.pin import pin
from edgerig.files import sha256
from edgerig.progress import Progress
from edgerig.serve.video.keep.folder import FrameFolder, KeptFrame
from edgerig.store import Entry, open_dataset


@pytest.fixture
def call(capfd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    return partial(edgerig, capfd, "data")


def keep(folder: Path, shade: int, confidence: float, label: str, count: int = 40, seed: int = 0) -> None:
    """Frames as a server stores them: noise around a shade, confidences around a value."""
    generator = np.random.default_rng(seed)
    kept = FrameFolder(str(folder), 10**9)
    for number in range(count):
        pixels = np.clip(generator.normal(shade + generator.normal(0, 8), 10, (24, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "x.png")
        data = (folder / "x.png").read_bytes()
        (folder / "x.png").unlink()
        frame = KeptFrame(
            file=f"{number}.png",
            sha256=sha256(data),
            width=32,
            height=24,
            time="2026-01-01T00:00:00+00:00",
            source="cam",
            frame=number,
            rules=["every:1s"],
            model="net",
            artifact="0" * 64,
            task="classification",
            confidence=float(np.clip(generator.normal(confidence, 0.05), 0, 1)),
            prediction={"class": label},
        )
        kept.add(frame, {frame.file: data})


def test_the_quantities_of_a_picture_are_what_they_are_called(tmp_path: Path) -> None:
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0] = (255, 0, 0)
    pixels[1] = (0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "half.png")
    row = look_at(tmp_path / "half.png")
    assert row["brightness"] == pytest.approx((0.299 + 0.114) / 2)
    assert row["contrast"] == pytest.approx((0.299 - 0.114) / 2)
    assert row["saturation"] == pytest.approx(1)
    assert row["warmth"] == pytest.approx(0, abs=1e-7)
    assert (row["width"], row["height"]) == (4, 2)


@pytest.mark.slow
def test_values_are_in_the_order_of_the_entries_whichever_picture_is_read_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    versions, _ = open_dataset(str(tmp_path / "street"), writing=True)
    names = sorted((f"{number}.png" for number in range(8)), key=lambda name: sha256(name.encode()))
    entries = []
    for number, name in enumerate(names):
        data = io.BytesIO()
        side = 3000 if number == 0 else 8 + number  # the first one takes the longest
        Image.new("RGB", (side, side)).save(data, "PNG")
        stored = versions.store.objects.add(data.getvalue())
        entries.append(Entry(name=name, sha256=stored.sha256, size=stored.size))
    versions.commit(entries, base=None)
    seen = looks_of(pin(versions.address, None), 8, Progress())
    assert seen.values["width"].tolist() == [3000, *range(9, 16)]


def looks(values: np.ndarray, predictions: tuple[str, ...] = ()) -> Looks:
    return Looks("x", {"brightness": values}, predictions, len(values), len(values))


def test_a_shift_is_found_with_its_interval_and_none_is_invented() -> None:
    generator = np.random.default_rng(1)
    before, same, brighter = (generator.normal(mean, 0.1, 400) for mean in (0.5, 0.5, 0.58))
    (nothing,) = shifts(looks(before), looks(same))
    assert not nothing.drifted
    assert nothing.low < 0 < nothing.high
    (shift,) = shifts(looks(before), looks(brighter))
    assert shift.drifted
    assert shift.low < brighter.mean() - before.mean() < shift.high
    # The interval of a difference of two means: 1.96 standard errors to each side.
    error = np.sqrt(before.var() / 400 + brighter.var() / 400)
    assert shift.high - shift.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert shift.effect == pytest.approx((brighter.mean() - before.mean()) / before.std(ddof=1))


def test_small_differences_and_small_samples_say_little() -> None:
    generator = np.random.default_rng(2)
    before, hardly = generator.normal(0.5, 0.1, 20_000), generator.normal(0.505, 0.1, 20_000)
    (shift,) = shifts(looks(before), looks(hardly))
    assert shift.low > 0
    assert not shift.drifted, "certain, and too small to count"
    assert shifts(looks(before[:4]), looks(hardly)) == []
    (constant,) = shifts(looks(np.full(10, 0.3)), looks(np.full(10, 0.3)))
    assert (constant.effect, constant.drifted) == (None, False)
    (moved,) = shifts(looks(np.full(10, 640.0)), looks(np.full(10, 320.0)))
    assert (moved.effect, moved.drifted) == (None, True)


def test_shares_of_predicted_classes_are_compared() -> None:
    before, after = ("car",) * 90 + ("bus",) * 10, ("car",) * 40 + ("<b>tram</b>",) * 60
    rows = {
        s.name: s for s in shifts(looks(np.zeros(9), before), looks(np.zeros(9), after)) if s.name.startswith("class")
    }
    assert list(rows) == ["class <b>tram</b>", "class bus", "class car"]
    assert (rows["class car"].earlier, rows["class car"].later, rows["class car"].drifted) == (0.9, 0.4, True)


@pytest.mark.slow
def test_frames_that_a_server_kept_are_compared_from_the_command_line(call: Call, tmp_path: Path) -> None:
    keep(tmp_path / "day", 150, 0.9, "car")
    keep(tmp_path / "day2", 150, 0.9, "car", seed=1)
    keep(tmp_path / "night", 60, 0.6, "<b>tram</b>", seed=2)
    for name in ("day", "day2", "night"):
        code, out, err = call("import", name, "--to", f"data/{name}")
        assert code == 0, err
        assert out.startswith(f"data/{name}@1: 40 files")
    extra = open_dataset("data/night")[0].read().entries[0].extra
    assert extra["prediction"] == "<b>tram</b>"
    assert (extra["time"], extra["camera"]) == ("2026-01-01T00:00:00+00:00", "cam")

    code, out, _ = call("check", "data/day2", "--against", "data/day@1")
    assert (code, out.splitlines()[-1]) == (0, "Nothing has drifted.")
    code, out, _ = call("check", "data/night", "--against", "data/day", "--out", "drift.html", "--json")
    document = json.loads(out)
    drifted = {shift["name"] for shift in document["shifts"] if shift["drifted"]}
    assert drifted == {"brightness", "saturation", "confidence", "class car", "class <b>tram</b>"}
    page = (tmp_path / "drift.html").read_text()
    assert "data/night@1" in page
    assert "Drifted: brightness" in page
    assert page.count("<svg") == 8
    assert "<b>tram" not in page, "names are escaped"
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", ""), "nothing is loaded"


def test_what_does_not_go_together_is_said(call: Call) -> None:
    assert "--out goes with --against" in call("check", "data/x", "--out", "page.html")[2]
    assert "do not go together" in call("check", "data/x", "--against", "data/y", "--all")[2]


def annotated(address: str, pictures: list[tuple[Shape, ...]], **fields: str) -> None:
    """A dataset of grey pictures with these labels."""
    versions, _ = open_dataset(address, writing=True)
    entries = []
    for number, shapes in enumerate(pictures):
        data = io.BytesIO()
        Image.new("L", (40, 30), 100 + number % 50).save(data, "PNG")
        stored = versions.store.objects.add(data.getvalue())
        labels = versions.store.objects.add(to_json(ImageLabels(width=40, height=30, shapes=shapes)))
        name = f"{number:03d}.png"
        entry = Entry(name=name, sha256=stored.sha256, size=stored.size, annotation=labels.sha256, **fields)
        entries.append(entry)
    versions.commit(entries, base=None, classes=("car", "bus", "road"))


def boxed(category: str, width: float, height: float) -> Shape:
    return Shape(category=category, box=Box(0, 0, float(width), float(height)))


def test_the_quantities_of_labels_are_what_they_are_called() -> None:
    ignored = Shape(category="ignore", polygons=(Polygon((20, 0, 40, 0, 40, 30, 20, 30)),))
    road = Shape(category="road", polygons=(Polygon((0, 0, 10, 0, 10, 15, 0, 15)),))
    row = row_of(ImageLabels(width=40, height=30, shapes=(road, ignored)), ("car", "road"))
    assert row.values["objects"] == [1]
    assert row.values["box size"] == [pytest.approx(np.sqrt(150 / 1200))]
    assert row.values["box aspect"] == [pytest.approx(np.log2(10 / 15))]
    assert row.classes == ["road"]
    # 150 of the 600 pixels that are judged.
    assert row.pixels == {"background": 0.75, "car": 0, "road": 0.25}
    assert row_of(ImageLabels(width=40, height=30, shapes=(boxed("car", 4, 4),)), ("car",)).pixels is None


def test_an_interval_of_objects_draws_pictures_with_all_that_is_in_them() -> None:
    generator = np.random.default_rng(3)
    # 60 pictures of 20 objects that are all alike: 60 values, not 1,200.
    own = generator.normal(0, 1, (2, 60))
    sides = [
        {"box size": Grouped(np.repeat(each, 20), np.repeat(np.arange(60), 20), 60)} for each in own
    ]  # fmt: skip
    (shift,) = label_shifts(*sides)
    error = np.sqrt(own[0].var() / 60 + own[1].var() / 60)
    assert shift.high - shift.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert (shift.earlier, shift.later) == (pytest.approx(own[0].mean()), pytest.approx(own[1].mean()))


@pytest.mark.slow
def test_labels_that_have_drifted_are_told_and_drawn(call: Call, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    day = [tuple(boxed("car", *generator.uniform(8, 12, 2)) for _ in range(3)) for _ in range(40)]
    night = [tuple(boxed("bus", *generator.uniform(16, 24, 2)) for _ in range(1)) for _ in range(40)]
    annotated("data/day", day)
    annotated("data/night", night)
    code, out, _ = call("check", "data/night", "--against", "data/day", "--json", "--out", "drift.html")
    assert code == 0
    rows = {shift["name"]: shift for shift in json.loads(out)["shifts"]}
    assert rows["objects"]["earlier"] == 3
    assert (rows["objects of bus"]["earlier"], rows["objects of bus"]["later"]) == (0, 1)
    assert {name for name, row in rows.items() if row["drifted"]} == {
        "objects", "box size", "objects of bus", "objects of car",
    }  # fmt: skip
    page = (tmp_path / "drift.html").read_text()
    assert "objects by class" in page
    assert "box aspect" in page
    code, out, _ = call("check", "data/day", "--against", "data/day@1")
    assert out.splitlines()[-1] == "Nothing has drifted."
    assert "objects of bus" not in out, "none has any"


def test_the_share_of_pixels_and_of_pictures_of_a_class_drifts(call: Call, tmp_path: Path) -> None:
    def roads(low: float, high: float) -> list[tuple[Shape, ...]]:
        sides = np.random.default_rng(0).uniform(low, high, 30)
        return [(Shape(category="road", polygons=(Polygon((0, 0, x, 0, x, 30, 0, 30)),)),) for x in sides.tolist()]

    annotated("data/before", roads(8, 16), label="car")
    annotated("data/after", roads(16, 24), label="bus")
    code, out, _ = call("check", "data/after", "--against", "data/before", "--json", "--out", "drift.html")
    assert code == 0
    rows = {shift["name"]: shift for shift in json.loads(out)["shifts"]}
    assert (rows["pixels of road"]["later"], rows["pixels of road"]["drifted"]) == (pytest.approx(0.5, abs=0.03), True)
    assert (rows["pixels of car"]["drifted"], rows["label bus"]["later"], rows["label bus"]["drifted"]) == (
        False,
        1,
        True,
    )
    assert "pixels by class" in (tmp_path / "drift.html").read_text()
