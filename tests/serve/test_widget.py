"""The notebook's widget: its state in Python, and its view in a browser, each with the page's own code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.chromium import chromium
from tests.needs import need_module

from edgerig.errors import TargetError
from edgerig.serve import drawing
from edgerig.serve.digit_asker import DigitAsker
from edgerig.testing import networks

SEVEN = [[[60, 50], [190, 50], [110, 210]]]


@pytest.fixture(scope="module")
def asker(digit_net: Path) -> Iterator[DigitAsker]:
    with DigitAsker(digit_net) as asking:
        yield asking


@pytest.fixture(autouse=True)
def widget_is_there() -> None:
    need_module("anywidget", "anywidget")


def test_what_is_drawn_is_asked_and_answered(asker: DigitAsker) -> None:
    from edgerig.serve.widget import DigitPad

    pad = DigitPad(asker.ask)
    assert (pad.outputs, pad.answer) == ([], "")
    pad.strokes = SEVEN
    weights, bias = networks.dense_weights(784, 10)
    logits = weights @ (drawing.picture(SEVEN).ravel() / 255) + bias
    expected = np.exp(logits) / np.exp(logits).sum()
    assert pad.outputs == pytest.approx(expected.tolist(), abs=1e-5)
    assert pad.answer.startswith(f"{int(expected.argmax())} on local, ")
    before = pad.outputs
    pad.centred = False
    assert np.array_equal(pad.picture, drawing.picture(SEVEN, centred=False))
    assert pad.outputs != before
    pad.strokes = []
    assert (pad.outputs, pad.answer) == ([], "")


def test_an_error_is_shown_and_ends_nothing() -> None:
    from edgerig.serve.widget import DigitPad

    def gone(picture: drawing.Picture) -> Any:
        raise TargetError("The board is gone.")

    pad = DigitPad(gone, strokes=SEVEN)
    assert (pad.outputs, pad.answer) == ([], "The board is gone.")


def test_the_modules_are_joined_to_one() -> None:
    """A name that two of them have would be an error of syntax, in the browser below."""
    from edgerig.serve.widget import joined

    text = joined()
    assert not re.findall(r"^import .*", text, re.MULTILINE)
    assert re.findall(r"^export .*", text, re.MULTILINE) == ["export default { render };"]


PAGE = """<!doctype html><style>{css}</style><div id=root></div><script type=module>
const blob = new Blob([{code}], {{type: "text/javascript"}});
const widget = (await import(URL.createObjectURL(blob))).default;
const values = {{strokes: [], centred: true, outputs: [], answer: ""}}, heard = {{}};
window.model = {{
  get: (name) => values[name], saved: 0,
  set(name, value) {{ values[name] = value; for (const call of heard[`change:${{name}}`] ?? []) call(); }},
  save_changes() {{ this.saved++; }},
  on(names, call) {{ for (const name of names.split(" ")) (heard[name] ??= []).push(call); }},
}};
widget.render({{ model, el: document.getElementById("root") }});
window.ready = true;
</script>"""


def python_s_picture(browser: Any, script: str) -> list[int]:
    strokes = browser.execute_script(script)[1]
    return drawing.picture(strokes).ravel().tolist()


@pytest.mark.browser
def test_the_view_draws_with_the_page_s_code(tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.wait import WebDriverWait

    from edgerig.serve.widget import DigitPad

    code = json.dumps(DigitPad._esm).replace("</", "<\\/")
    (tmp_path / "widget.html").write_text(PAGE.format(css=DigitPad._css, code=code))
    with chromium(tmp_path / "profile") as browser:
        browser.get((tmp_path / "widget.html").as_uri())
        WebDriverWait(browser, 20).until(lambda b: b.execute_script("return window.ready"))
        paper = browser.find_element("css selector", ".paper")
        chain = ActionChains(browser, duration=40).move_to_element_with_offset(paper, -65, -75).click_and_hold()
        chain.move_to_element_with_offset(paper, 65, -75).move_to_element_with_offset(
            paper, -15, 85
        ).release().perform()
        script = """const c = document.querySelector('.seen');
            return [[...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 == 0),
                    model.get('strokes'), model.saved]"""
        # Strokes are sent now and then while one draws, and once more at the end.
        WebDriverWait(browser, 20).until(lambda b: b.execute_script(script)[0] == python_s_picture(b, script))
        seen, _, saved = browser.execute_script(script)
        assert saved >= 1
        assert np.abs(np.array(seen).reshape(28, 28) - drawing.picture(SEVEN)).mean() < 12
        outputs = [0.05] * 7 + [0.6, 0.05, 0.0]
        browser.execute_script("model.set('outputs', arguments[0]); model.set('answer', '7 on local')", outputs)
        assert browser.find_element("css selector", ".best .digit").text == "7"
        assert browser.find_element("css selector", "p").text == "7 on local"
        browser.execute_script("model.set('strokes', arguments[0])", [[[20, 20], [20, 200]]])
        WebDriverWait(browser, 20).until(
            lambda b: b.execute_script("return document.querySelector('.seen').getContext('2d')")
        )
        browser.find_element("css selector", "button").click()
        WebDriverWait(browser, 20).until(lambda b: b.execute_script("return model.get('strokes').length === 0"))
        complaints = [entry["message"] for entry in browser.get_log("browser")]
        # That of this test's own look at the pixels is left out.
        assert [text for text in complaints if "willReadFrequently" not in text] == []
