"""What is in sight: nothing runs into another, scrolls sideways or cannot be read, on a phone and on a screen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.chromium import CONTRAST, OPEN_ALL, SHOW_ALL, load

pytestmark = pytest.mark.browser


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


@pytest.mark.parametrize("width", [768, 1024, 1280, 1400])
@pytest.mark.parametrize("name", ["rounds", "long"])
def test_no_number_of_a_list_of_facts_is_cut_off(browser: Any, pages: dict[str, str], name: str, width: int) -> None:
    """26.0 us whose end is out of sight reads as 26."""
    load(browser, pages[name], width=width)
    browser.execute_script(SHOW_ALL)
    facts, hidden = browser.execute_script(
        "const all = [...document.querySelectorAll('table.facts')].filter(t => t.checkVisibility());"
        "return [all.length, all.filter(t => t.scrollWidth > t.parentElement.clientWidth + 1)"
        ".map(t => [t.caption.textContent, t.scrollWidth, t.parentElement.clientWidth])]"
    )
    assert facts >= 6
    assert hidden == []


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
