"""Bundles that somebody made up: shown, or refused with a reason; never a fault of edgerig."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgerig.errors import EdgerigError
from edgerig.report import load_bundle, render

#: What stands where something else should.
VALUES: list[Any] = [
    None, 0, -1, 1, 2**62, -(2**62), 10**30, 1e30, -1e30, 1e-30, 0.5, "", "x" * 5000, "\x1b[2J<script>", [], {}, True,
    [[1, 2], [3]], "../../x", {"is": "unavailable", "reason": "r"}, {"is": "number", "value": 1, "unit": "s"},
]  # fmt: skip
SEEDS = 4
CHANGES = 40


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, of lists the first few."""
    if place:
        yield place
    inside = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*place, key))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, make: Any) -> tuple[Path, dict[str, Any]]:
    folder: Path = make.save(make.run(rows=make.DEMO[:2]), tmp_path_factory.mktemp("strange") / "bundle")
    return folder, json.loads((folder / "results.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_value_anywhere_is_shown_or_refused(bundle: tuple[Path, dict[str, Any]], seed: int) -> None:
    folder, document = bundle
    chance = random.Random(seed)
    everywhere = list(places(document))
    shown = 0
    for _ in range(CHANGES):
        changed = json.loads(json.dumps(document))
        *way, last = chance.choice(everywhere)
        holder = changed
        for key in way:
            holder = holder[key]
        holder[last] = chance.choice(VALUES)
        (folder / "results.json").write_text(json.dumps(changed))
        try:
            loaded = load_bundle(folder)
            for format in ("md", "json"):
                render([loaded], format)  # type: ignore[arg-type]
        except EdgerigError:
            continue
        shown += 1
    assert shown > CHANGES // 4
