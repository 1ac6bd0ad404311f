"""The page in a real browser. Without Debian's chromium these are skipped, except where CI=true: there they fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.chromium import CONTRAST, chromium, load
from tests.report.test_columns import with_rounds

from edgerig.measure.kinds import Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.measure.utilisation import Series, Utilisation
from edgerig.report import write_report
from edgerig.report.load import Loaded
from edgerig.results.layers.layer_map import RULES, FileOperator, LayerMap, MappedRow
from edgerig.results.layers.types import LayerKey
from edgerig.results.types import CellResult

pytestmark = pytest.mark.browser

OPEN_ALL = "document.querySelectorAll('details').forEach(d => d.open = true);"
SHOW_ALL = OPEN_ALL + "document.querySelectorAll('.panel').forEach(p => p.hidden = false);"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="module")
def pages(demo_folder: Path, demo: Loaded, make: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    other = make.save(make.run(rows=make.DEMO[3:4], name="b1", seed=50), folder / "b1")
    long = "a_very_long_name_without_any_space_" * 4
    rows = tuple((long + str(n), *row[1:]) for n, row in enumerate(make.DEMO[:3]))
    wide = make.save(make.run(rows=rows, name=long), folder / "wide")
    cells = tuple(with_rounds(cell, (1.0e-3, 1.1e-3, 1.05e-3)) for cell in demo.result.cells)
    several = msgspec.structs.replace(demo, result=msgspec.structs.replace(demo.result, cells=cells))
    watched = tuple(replace_rounds(cell) for cell in several.result.cells)
    watching = msgspec.structs.replace(demo, result=msgspec.structs.replace(demo.result, cells=watched))
    bundles = {
        "utilisation": [make.save(watching, folder / "utilisation")],
        "demo": [demo_folder],
        "rounds": [make.save(several, folder / "rounds")],
        "two": [demo_folder, other],
        "long": [wide],
        "one": [other],
        "long two": [demo_folder, wide],
    }
    return {name: write_report(paths, folder / f"{name}.html").as_uri() for name, paths in bundles.items()}


def replace_rounds(cell: CellResult) -> CellResult:
    """``cell`` with rounds whose device was sampled: each unit, more sensors than colours, gaps."""
    seconds = tuple(0.1 * n for n in range(30))
    waves = [tuple(None if 8 < n < 14 and k == 3 else 1 + k + 0.2 * (n % 5) for n in range(30)) for k in range(9)]
    series = (
        Series("CPU load of the process", "1", waves[0]),
        Series("memory of the process", "B", tuple(55e6 + 1e4 * n for n in range(30))),
        Series("clock of the first core", "Hz", (2.596e9,) * 30),
        *(Series(f"temperature/thermal zone {k}", "°C", waves[k]) for k in range(9)),
        *(Series(f"power/VDD_{k}_IN", "W", waves[k]) for k in range(3)),
    )
    watched = Utilisation(seconds=seconds, series=series, inferences=100, joules={"VDD_0_IN": 3.0})
    rounds = tuple(msgspec.structs.replace(entry, utilisation=watched) for entry in cell.rounds)
    return msgspec.structs.replace(cell, rounds=rounds)


#: Pairs of texts of a drawing that overlap, and texts that leave their figure.
CROWDED = """
const out = [], inside = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2
  && b.top < a.bottom - 2;
let charts = 0;
for (const figure of document.querySelectorAll('figure')) {
  if (!/over time/.test(figure.textContent) || !figure.checkVisibility()) continue;
  charts++;
  const texts = [...figure.querySelectorAll('svg text, figcaption span span')].map(e => [e.textContent.trim(),
    e.getBoundingClientRect()]).filter(([t]) => t);
  const frame = figure.getBoundingClientRect();
  texts.forEach(([name, box], i) => {
    if (box.left < frame.left - 2 || box.right > frame.right + 2) out.push([name, 'leaves its figure']);
    texts.slice(i + 1).forEach(([other, its]) => { if (inside(box, its)) out.push([name, other]); });
  });
}
return [charts, out];
"""


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_curves_over_time_have_room_for_their_texts(
    browser: Any, pages: dict[str, str], width: int, dark: bool
) -> None:
    load(browser, pages["utilisation"], width=width, dark=dark)
    browser.execute_script(SHOW_ALL)
    charts, crowded = browser.execute_script(CROWDED)
    assert charts >= 5
    assert crowded == []
    units = browser.execute_script(
        "return [...document.querySelectorAll('figure')].filter(f => /over time/.test(f.textContent)).slice(0, 5)"
        ".map(f => [...f.querySelectorAll('.ticks text')].at(0).textContent.split(' ').at(-1))"
    )
    assert units == ["%", "MB", "GHz", "°C", "W"]
    seen, bad = browser.execute_script(CONTRAST)
    assert seen > 100
    assert bad == []


def test_the_page_makes_no_request_and_no_complaint(browser: Any, pages: dict[str, str]) -> None:
    for url in pages.values():
        browser.get_log("performance")
        browser.get_log("browser")
        load(browser, url)
        browser.execute_script(OPEN_ALL)
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        requested = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
        assert requested, "the log must hold the page itself"
        assert {one for one in requested if not one.startswith("data:")} == {url}
        assert [entry["message"] for entry in browser.get_log("browser")] == []


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1920])
@pytest.mark.parametrize("name", ["demo", "two", "long"])
def test_the_page_never_scrolls_sideways(browser: Any, pages: dict[str, str], name: str, width: int) -> None:
    load(browser, pages[name], width=width)
    browser.execute_script(SHOW_ALL)
    inner, whole = browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert (inner, whole <= inner) == (width, True)


@pytest.mark.parametrize("width", [390, 500])
@pytest.mark.parametrize("name", ["demo", "rounds", "long"])
def test_no_table_scrolls_on_a_narrow_page(browser: Any, pages: dict[str, str], name: str, width: int) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    load(browser, pages[name], width=width)
    browser.execute_script(SHOW_ALL)
    browser.execute_script(OPEN_ALL)
    wide = """
    const all = [...document.querySelectorAll('.scroll')];
    const frames = all.filter(s => s.querySelector('table.data') && s.checkVisibility());
    return [frames.length, frames.filter(s => s.scrollWidth > s.clientWidth + 1).map(s => s.innerText.slice(0, 60))];
    """
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(wide)[1] == [])
    assert browser.execute_script(wide)[0] > 3
    unnamed = """
    const tables = [...document.querySelectorAll('.stacks')];
    const cells = tables.flatMap(t => [...t.tBodies[0].querySelectorAll('td')]).filter(c => c.checkVisibility());
    return [tables.length, cells.filter(c => !c.dataset.label).map(c => c.outerHTML.slice(0, 200))];
    """
    stacked, without_name = browser.execute_script(unnamed)
    assert stacked >= 1
    assert without_name == []


def test_tables_are_tables_again_on_a_wide_page(browser: Any, pages: dict[str, str]) -> None:
    load(browser, pages["demo"], width=1400)
    browser.execute_script(SHOW_ALL)
    assert browser.execute_script("return document.querySelectorAll('.stacks').length") == 0


@pytest.mark.parametrize("width", [390, 500, 1400])
def test_what_a_variant_was_made_from_is_in_sight(browser: Any, pages: dict[str, str], width: int) -> None:
    load(browser, pages["demo"], width=width)
    browser.execute_script(SHOW_ALL)
    browser.execute_script(OPEN_ALL)
    seen = browser.execute_script(
        "return [...document.querySelectorAll('[data-name=origins]')].filter(t => t.checkVisibility())"
        ".map(t => t.closest('.scroll')).map(s => [s.clientWidth, s.scrollWidth])"
    )
    assert seen
    assert all(whole <= shown for shown, whole in seen)


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("name", ["demo", "rounds", "two", "one", "long", "long two"])
def test_no_column_of_the_variants_is_out_of_sight(browser: Any, pages: dict[str, str], name: str, width: int) -> None:
    load(browser, pages[name], width=width)
    script = """
    const frame = document.querySelector('.main').closest('.scroll').getBoundingClientRect();
    const cells = [...document.querySelectorAll('.main tbody td, .main tbody th')].filter(c => c.checkVisibility());
    const beyond = (box) => box.right > frame.right + 1 || box.left < frame.left - 1;
    const out = cells.filter(c => beyond(c.getBoundingClientRect()));
    return [cells.length, out.map(c => c.innerText)];
    """
    count, outside = browser.execute_script(script)
    assert count >= 9
    assert outside == []
    heads = browser.execute_script("return [...document.querySelectorAll('.main th')].map(th => th.dataset.label)")
    assert ("± between rounds" in heads) == (name == "rounds"), "the widest table that there is"


@pytest.mark.parametrize("width", [360, 390, 768, 1400])
@pytest.mark.parametrize("name", ["demo", "two", "one", "long two"])
def test_no_text_leaves_its_cell(browser: Any, pages: dict[str, str], name: str, width: int) -> None:
    load(browser, pages[name], width=width)
    script = """
    const all = [...document.querySelectorAll(':is(.main, .runs) tbody :is(td, th)')];
    const cells = all.filter(c => c.checkVisibility());
    const out = [];
    for (const cell of cells) {
      const own = cell.getBoundingClientRect(), walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const range = document.createRange();
        range.selectNodeContents(walker.currentNode);
        for (const box of range.getClientRects())
          if (box.width && (box.right > own.right + 1 || box.left < own.left - 1))
            out.push([cell.innerText, Math.round(box.left - own.left), Math.round(box.right - own.right)]);
      }
    }
    return [cells.length, out];
    """
    count, outside = browser.execute_script(script)
    assert count >= 9
    assert outside == []


@pytest.mark.parametrize("width", [390, 1400])
def test_what_was_measured_on_what_is_in_sight(browser: Any, pages: dict[str, str], width: int) -> None:
    load(browser, pages["long two"], width=width)
    script = """
    const frame = document.querySelector('.runs').closest('.scroll').getBoundingClientRect();
    const cells = [...document.querySelectorAll('.runs tbody :is(td, th)')].filter(c => c.checkVisibility());
    return [cells.length, cells.filter(c => c.getBoundingClientRect().right > frame.right + 1).map(c => c.innerText)];
    """
    assert browser.execute_script(script) == [10, []]


def test_the_page_of_one_variant_has_no_plot(browser: Any, pages: dict[str, str]) -> None:
    load(browser, pages["one"])
    assert browser.find_elements("css selector", ".plot") == []
    assert browser.find_element("css selector", ".recommendation").is_displayed()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["demo", "two"])
def test_every_text_can_be_read(browser: Any, pages: dict[str, str], name: str, dark: bool) -> None:
    load(browser, pages[name], dark=dark)
    browser.execute_script(SHOW_ALL)
    seen, bad = browser.execute_script(CONTRAST)
    assert seen > 500
    assert bad == []


def background(browser: Any) -> int:
    colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in colour.strip("rgb()").split(","))


def test_the_theme_follows_the_system_until_the_reader_chooses(browser: Any, pages: dict[str, str]) -> None:
    load(browser, pages["demo"])
    light = background(browser)
    load(browser, pages["demo"], dark=True)
    assert background(browser) < 150 < light
    button = browser.find_element("id", "theme")
    assert button.text == "Light"
    button.click()
    assert (background(browser), button.text) == (light, "Dark")


def column(browser: Any, number: int) -> list[str]:
    script = (
        "return [...document.querySelector('.main').tBodies[0].rows].map(r => r.cells[arguments[0]].dataset.v ?? '')"
    )
    found: list[str] = browser.execute_script(script, number)
    return found


def test_tables_sort_by_number_and_keep_the_unavailable_last(browser: Any, pages: dict[str, str]) -> None:
    load(browser, pages["demo"])
    heads = browser.find_elements("css selector", ".main thead th")
    for wanted in ("median latency", "arena"):
        number = next(n for n, head in enumerate(heads) if head.text.startswith(wanted))
        for state, reverse in (("ascending", False), ("descending", True)):
            heads[number].find_element("tag name", "button").click()
            assert heads[number].get_attribute("aria-sort") == state
            shown = column(browser, number)
            values = [float(value) for value in shown if value]
            # The board's time is emulated: it stays behind those that were measured, whichever way they are sorted.
            apart = 1 if wanted == "median latency" else 0
            measured = values[: len(values) - apart]
            assert measured == sorted(measured, reverse=reverse)
            assert values[len(measured) :] == [max(values)] * apart
            assert "" not in shown[: len(values)]


def test_a_bubble_opens_its_variant_and_tabs_work_by_keyboard(browser: Any, pages: dict[str, str]) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.wait import WebDriverWait

    load(browser, pages["demo"])
    opened = "return document.getElementById('v-onnx-onnxruntime-local').open"
    assert not browser.execute_script(opened)
    link = browser.find_element("css selector", ".wide a[href='#v-onnx-onnxruntime-local']")
    browser.execute_script("arguments[0].focus()", link)
    link.send_keys(Keys.ENTER)
    WebDriverWait(browser, 20).until(lambda page: page.execute_script(opened))
    tabs = browser.find_elements("css selector", "#v-onnx-onnxruntime-local [role=tab]")
    assert [tab.text for tab in tabs] == [
        "Latency",
        "Quality",
        "Against float",
        "Layers",
        "Memory, energy",
        "Machine",
        "Repeat it",
    ]
    tabs[0].send_keys(Keys.ARROW_RIGHT)
    assert tabs[1].get_attribute("aria-selected") == "true"
    shown = browser.find_elements("css selector", "#v-onnx-onnxruntime-local [role=tabpanel]:not([hidden])")
    assert len(shown) == 1
    assert shown[0].get_attribute("data-tab") == "Quality"
    tabs[1].send_keys(Keys.END)
    assert tabs[-1].get_attribute("aria-selected") == "true"


def test_reasons_show_as_tips_by_keyboard(browser: Any, pages: dict[str, str]) -> None:
    from selenium.webdriver.common.keys import Keys

    load(browser, pages["demo"])
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        if "none" in (browser.switch_to.active_element.get_attribute("class") or "").split():
            break
    tip = browser.find_element("id", "tip")
    assert tip.is_displayed()
    assert tip.text.startswith("unavailable: it is the float model itself")
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()


def test_without_script_everything_is_there(browser: Any, pages: dict[str, str]) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(pages["demo"])
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert browser.execute_script("return document.querySelectorAll('.panel[hidden]').length") == 0
    assert browser.execute_script("return document.querySelectorAll('button:not([hidden])').length") == 0


def test_it_prints_whole_and_light(browser: Any, pages: dict[str, str]) -> None:
    load(browser, pages["demo"], dark=True, width=688)  # A4 less two margins of 14 mm
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert background(browser) == 3 * 255
    hidden = "return [...document.querySelectorAll('.panel')].filter(p => !p.checkVisibility()).length"
    assert browser.execute_script(hidden) == 0
    heads = browser.execute_script("return [...document.querySelectorAll('.main thead th')].map(th => th.innerText)")
    assert heads[3].strip() == "median latency"
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 688, "the table of variants must fit the paper"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def capture(browser: Any) -> None:
    """Keep what the page would save, instead of saving it."""
    browser.execute_script(
        "window.saved = [];"
        "URL.createObjectURL = (blob) => { blob.text().then((text) => saved.push(text)); return '#'; };"
    )


def saved(browser: Any) -> str:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, 20).until(lambda page: page.execute_script("return saved.length"))
    text: str = browser.execute_script("return saved.pop()")
    return text


def test_the_filter_leaves_the_variants_with_all_words(browser: Any, pages: dict[str, str], demo: Loaded) -> None:
    load(browser, pages["demo"])
    browser.find_element("css selector", ".filter").send_keys("INT8 tflm")
    script = "return [...document.querySelector('.main').tBodies[0].rows].filter(r => !r.hidden).map(r => r.innerText)"
    shown = browser.execute_script(script)
    wanted = [cell for cell in demo.result.cells if (cell.variant, cell.runtime) == ("int8", "tflm")]
    assert len(shown) == len(wanted) == 2
    assert browser.find_element("css selector", ".tools [role=status]").text == "2 of 8"


def test_columns_are_chosen(browser: Any, pages: dict[str, str]) -> None:
    load(browser, pages["demo"])
    heads = "return [...document.querySelectorAll('.main thead th')].filter(t => !t.hidden).map(t => t.dataset.label)"
    before = browser.execute_script(heads)
    browser.find_element("css selector", ".chooser button").click()
    boxes = browser.find_elements("css selector", ".menu label")
    assert [box.text.strip() for box in boxes] == before[1:]
    next(box for box in boxes if box.text.strip() == "p90").click()
    assert browser.execute_script(heads) == [label for label in before if label != "p90"]
    hidden = browser.execute_script("return document.querySelectorAll('.main tbody td[hidden]').length")
    assert hidden == browser.execute_script("return document.querySelector('.main').tBodies[0].rows.length")


def test_a_table_is_saved_as_it_is_shown(browser: Any, pages: dict[str, str], demo: Loaded) -> None:
    import csv
    import io

    load(browser, pages["demo"])
    capture(browser)
    browser.find_element(
        "css selector", "button[aria-label='Save as CSV: Variants with quality, latency and size']"
    ).click()
    rows = list(csv.DictReader(io.StringIO(saved(browser))))
    assert [row["variant"].split(" · ")[0] for row in rows] == [cell.variant for cell in demo.result.cells]
    for row, cell in zip(rows, demo.result.cells, strict=True):
        steady: Any = cell.latency.steady
        assert float(row["median latency (s)"]) == steady.value
        assert row["median latency kind"] == steady.kind
        assert row["size (B)"] == str(cell.artifact.size)
    assert rows[0]["same as float unavailable because"] == "it is the float model itself"
    tables = "return [...document.querySelectorAll('table[data-name]')].filter(t => t.tBodies[0].rows.length).length"
    buttons = browser.find_elements("css selector", "button[aria-label^='Save as CSV']")
    assert len(buttons) == browser.execute_script(tables) > 8


def test_a_chart_is_saved_with_its_colours(browser: Any, pages: dict[str, str]) -> None:
    from xml.etree import ElementTree

    load(browser, pages["demo"])
    capture(browser)
    browser.find_element("css selector", ".plot button[aria-label^='Save as a picture']").click()
    text = saved(browser)
    drawing = ElementTree.fromstring(text)
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    circles = drawing.findall(".//{http://www.w3.org/2000/svg}circle")
    assert any(circle.get("fill", "").startswith("rgb") for circle in circles)
    assert "var(" not in text
    assert "class=" not in text
    charts = browser.execute_script(
        "return [...document.querySelectorAll('figure')].filter(f => f.querySelector('svg.chart')).length"
    )
    assert len(browser.find_elements("css selector", "button[aria-label^='Save as a picture']")) == charts


def test_files_are_really_saved(browser: Any, pages: dict[str, str], tmp_path: Path) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    load(browser, pages["demo"])
    browser.find_element("css selector", ".plot button[aria-label^='Save as a picture']").click()
    WebDriverWait(browser, 20).until(lambda _: list(tmp_path.glob("*.svg")))
    assert (tmp_path / "mnist-Quality-against-latency.svg").read_text().startswith("<svg")


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


@pytest.mark.parametrize("width", [390, 1400])
def test_every_part_of_the_page_is_a_link_away(browser: Any, pages: dict[str, str], width: int) -> None:
    load(browser, pages["two"], width=width)
    links = browser.find_elements("css selector", "nav.contents a:not([hidden])")
    targets = [link.get_attribute("href").split("#")[1] for link in links]
    headings = browser.execute_script(
        "return [...document.querySelectorAll('main > section > h2, main > section > .heading > h2')].length"
    )
    assert len(targets) >= headings - 1
    browser.execute_script("arguments[0].click()", links[-1])
    top = browser.execute_script("return document.getElementById('h-how').getBoundingClientRect().top")
    bar = browser.execute_script("return document.querySelector('nav.contents').getBoundingClientRect().bottom")
    assert browser.execute_script("return document.querySelector('nav.contents').getBoundingClientRect().top") >= -1
    assert top >= bar - 1, "the bar hides no heading"
