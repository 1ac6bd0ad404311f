"""Two variants side by side, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.chromium import load

from edgerig.measure.kinds import Unavailable
from edgerig.measure.layer_key import LayerKey
from edgerig.measure.profile import LayerTime
from edgerig.report import write_report
from edgerig.report.load import Loaded
from edgerig.results.layers.layer_map import RULES, FileOperator, LayerMap, MappedRow

pytestmark = pytest.mark.browser


def test_two_variants_stand_side_by_side_layer_by_layer(browser: Any, pages: dict[str, str], demo: Loaded) -> None:
    load(browser, pages["demo"])
    selects = browser.find_elements("css selector", "#pair select")
    for select, place in zip(selects, (0, 3), strict=True):
        browser.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", select, str(place)
        )
    script = """return [...document.querySelectorAll(`#pair table[data-name='${arguments[0]}'] tbody tr`)]
        .map(r => [...r.cells].map(c => c.dataset.v ?? c.innerText))"""
    figures = {row[0]: row[1:] for row in browser.execute_script(script, "pair-figures")}
    first, second = demo.result.cells[0], demo.result.cells[3]
    medians: list[Any] = [cell.latency.steady for cell in (first, second)]
    assert [float(value) for value in figures["median latency"][:2]] == [median.value for median in medians]
    assert figures["median latency"][2] == f"{medians[1].value / medians[0].value:#.3g} times"
    layers = browser.execute_script(script, "pair-layers")
    assert [row[0] for row in layers] == ["conv2d", "pool", "conv2d_1", "pool_1", "flatten", "dense", "softmax"]
    assert not isinstance(first.layers, Unavailable)
    assert not isinstance(second.layers, Unavailable)
    for row, mine, other in zip(layers, first.layers, second.layers, strict=True):
        times: list[Any] = [mine.time, other.time]
        assert [float(value) for value in row[1:3]] == [time.value for time in times]
        assert row[3].strip() == f"{times[1].value / times[0].value:#.3g} times"


def test_layers_are_paired_by_what_they_are_and_not_by_their_places(
    browser: Any, make: Any, tmp_path: Path, demo: Loaded
) -> None:
    """The second variant's engine converts its input, fuses pad and convolution, and runs the branches the other way
    round: beside the convolution of the first stands no conversion, and there is no ratio but of one layer.
    """
    rows = (
        [
            ("pad", "CONSTANT_PAD", 3.0),
            ("left", "Convolution", 90.0),
            ("right", "Convolution", 50.0),
            ("out", "Add", 4.0),
        ],
        [
            ("", "Convert", 1.0),
            ("right", "Convolution", 25.0),
            ("pad + left", "Convolution", 45.0),
            ("out", "Add", 8.0),
        ],
    )
    run = with_layers(make, demo, rows)
    load(browser, write_report([make.save(run, tmp_path / "run")], tmp_path / "page.html").as_uri())
    script = """return [...document.querySelectorAll("#pair table[data-name='pair-layers'] tbody tr")]
        .map(r => [...r.cells].map(c => c.dataset.v === undefined ? c.innerText : Number(c.dataset.v)))"""
    layers = {row[0]: row[1:] for row in browser.execute_script(script)}
    assert layers["right"][:2] == pytest.approx([50e-6, 25e-6])
    assert layers["right"][2].strip() == "0.500 times"
    assert layers["out"][2].strip() == "2.00 times"
    assert {name for name, row in layers.items() if "times" in row[2]} == {"right", "out"}
    assert layers["left"][0] == pytest.approx(90e-6)
    assert "second: the file has it elsewhere: pad + left" in layers["left"][2]
    assert layers["pad + left"][1] == pytest.approx(45e-6)
    assert "first: the file has it elsewhere: left, pad" in layers["pad + left"][2]
    assert layers["(of no known layer)"][1] == pytest.approx(1e-6)
    assert "operators of no known layer" in layers["(of no known layer)"][2]


@pytest.mark.parametrize("width", [390, 1400])
def test_long_names_in_a_note_on_layers_stay_on_the_page_below_the_tables(
    browser: Any, pages: dict[str, str], demo: Loaded, width: int
) -> None:
    load(browser, pages["demo"], width=width)
    unprofiled = next(n for n, cell in enumerate(demo.result.cells) if isinstance(cell.layers, Unavailable))
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))",
        browser.find_elements("css selector", "#pair select")[1],
        str(unprofiled),
    )
    browser.execute_script("document.querySelector('#pair p.muted').textContent = 'functional/'.repeat(200)")
    bottom, note, right = browser.execute_script(
        """const box = selector => document.querySelector(selector).getBoundingClientRect();
        return [box("#pair .columns").bottom, box("#pair p.muted").top, document.documentElement.scrollWidth]"""
    )
    assert note >= bottom
    assert right <= browser.execute_script("return innerWidth")


def test_variants_without_a_common_network_have_no_ratio_of_layers(
    browser: Any, pages: dict[str, str], demo: Loaded
) -> None:
    load(browser, pages["demo"])
    selects = browser.find_elements("css selector", "#pair select")
    place = next(n for n, cell in enumerate(demo.result.cells) if isinstance(cell.layers, Unavailable))
    browser.execute_script(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", selects[1], str(place)
    )
    assert not browser.find_elements("css selector", "#pair table[data-name='pair-layers']")
    text = browser.find_element("css selector", "#pair").text
    assert (
        "No layers are compared: int8 · tflm · local: no profile: TFLite Micro's Python build has no profiler." in text
    )


def with_layers(make: Any, run: Loaded, rows: Any) -> Loaded:
    """``run`` with two cells alone, whose profiles have such rows: layers, operator, microseconds.

    An operator without a layer is one that the engine added: it is none of the file.
    """
    cells, maps = [], {}
    for cell, operators in zip(run.result.cells, rows, strict=False):
        profile = tuple(
            LayerTime(index=n, name=f"row {n}", op=op, time=make.number(micro * 1e-6))
            for n, (_, op, micro) in enumerate(operators)
        )
        cells.append(msgspec.structs.replace(cell, layers=profile))
        maps[cell.id] = LayerMap(
            rules=RULES,
            artifact=cell.artifact.sha256,
            source=None,
            operators=tuple(
                FileOperator(
                    index=n, op=op, scope=LayerKey(tuple(name.split(" + ")), "scope"), layer=None, shape=None, macs=None
                )
                for n, (name, op, _) in enumerate(operators)
                if name
            ),
            profile=tuple(
                MappedRow(name=f"row {n}", operator=n, mapped="name")
                if name
                else MappedRow(name=f"row {n}", operator=None, reason="the engine added it")
                for n, (name, _, _) in enumerate(operators)
            ),
        )
    ids = tuple(cell.id for cell in cells)
    result = msgspec.structs.replace(run.result, cells=tuple(cells), planned=ids)
    return msgspec.structs.replace(run, result=result, layer_maps=maps)


def test_numbers_of_unlike_kinds_have_no_ratio_side_by_side(browser: Any, pages: dict[str, str]) -> None:
    load(browser, pages["demo"])
    selects = browser.find_elements("css selector", "#pair select")
    browser.execute_script("arguments[0].value = '7'; arguments[0].dispatchEvent(new Event('change'))", selects[1])
    script = """return [...document.querySelectorAll("#pair table[data-name='pair-figures'] tbody tr")]
        .map(r => [r.cells[0].innerText, r.cells[3].innerText])"""
    ratios = dict(browser.execute_script(script))
    assert ratios["median latency"] == "–"
    assert ratios["size"].endswith("times")
