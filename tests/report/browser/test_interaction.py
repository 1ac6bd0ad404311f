"""What a reader does with the page: themes, sorting, tabs, tips, filters, columns, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.chromium import load

from edgerig.report.load import Loaded

pytestmark = pytest.mark.browser


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
