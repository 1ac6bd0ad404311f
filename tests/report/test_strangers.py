"""Bundles that somebody made up: shown, or refused with a reason; never a fault of edgerig."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgerig.errors import EdgerigError
from edgerig.report import load_bundle, render
from edgerig.report.build import build
from edgerig.results.bundle import Bundle

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
            report = build([loaded])
            for format in ("md", "json"):
                render([loaded], format, report)  # type: ignore[arg-type]
        except EdgerigError:
            continue
        shown += 1
    assert shown > CHANGES // 4


#: Obeyed by a terminal, a browser or a reader of Markdown.
OBEYED = (
    "<script>alert(1)</script>\x1b]0;owned\x07\x9b2J\u202e| [x](javascript:alert(1)) ![i](http://evil.example/i)\r\n# h"
)
CONTROLS = set(map(chr, [*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x202E])) - {"\n", "\t"}


@pytest.mark.slow
def test_texts_of_a_bundle_are_shown_and_not_obeyed(bundle: tuple[Path, dict[str, Any]]) -> None:
    folder, document = bundle
    changed = json.loads(json.dumps(document))
    poisoned = 0
    for way in places(document):
        holder = changed
        for key in way[:-1]:
            holder = holder[key]
        own = holder[way[-1]]
        # By these the cells, the kinds of numbers and the layout of the document are known.
        if not isinstance(own, str) or way[-1] in ("id", "is", "kind", "version"):
            continue
        holder[way[-1]] = own + OBEYED
        (folder / "results.json").write_text(json.dumps(changed))
        try:
            Bundle(folder).whole()
            poisoned += 1
        except EdgerigError:
            holder[way[-1]] = own
    assert poisoned > 50
    (folder / "results.json").write_text(json.dumps(changed))
    loaded = load_bundle(folder)
    assert len(loaded.result.cells) == len(document["cells"])
    for format in ("html", "md", "json"):
        text = render([loaded], format)  # type: ignore[arg-type]
        assert not CONTROLS & set(text), format
        assert "owned" in text, format
        if format == "md":
            # Commands stand in blocks of code, which show what they are given.
            text = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", text)
            assert not re.search(r"(?<!\\)(<script|!\[i|\]\(java)", text)
            assert "\n# h" not in text
        if format == "html":
            assert "<script>alert" not in text
