"""The page of a live video in a real browser: a live picture, a phone, and the visitor's own camera."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chromium import CONTRAST, chromium, load
from tests.serve.video.conftest import served

from edgerig.testing import networks

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
WIDE, PHONE = 1200, 390


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium with a camera that it makes up: a green picture with something that turns."""
    with chromium(tmp_path_factory.mktemp("chromium"), *CAMERA) as driver:
        yield driver


def until(browser: Any, condition: Callable[[], Any]) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 30, poll_frequency=0.1).until(lambda _: condition())


def text(browser: Any, name: str) -> str:
    return str(browser.find_element("id", name).text)


def pixel(browser: Any, x: float, y: float) -> list[int]:
    """The colour of the picture at shares of its sides."""
    script = """
      const image = document.getElementById('picture'), paper = document.createElement('canvas');
      paper.width = image.naturalWidth; paper.height = image.naturalHeight;
      const context = paper.getContext('2d'); context.drawImage(image, 0, 0);
      return [...context.getImageData(arguments[0] * paper.width, arguments[1] * paper.height, 1, 1).data];
    """
    return list(browser.execute_script(script, x, y))[:3]


def greenish(colour: list[int]) -> bool:
    red, green, blue = colour
    return green > red + 40 and green > blue


def addresses(browser: Any) -> list[str]:
    """Every address that the page asked for."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return asked + [event["params"]["url"] for event in events if event["method"] == "Network.webSocketCreated"]


def complaints(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def save(browser: Any, name: str) -> None:
    """A picture of the page, where somebody wants to look at it."""
    folder = os.environ.get("EDGERIG_SCREENSHOTS")
    if folder:
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (PHONE, False), (PHONE, True)])
def test_the_live_picture_moves_and_fits(browser: Any, live: int, width: int, dark: bool) -> None:
    complaints(browser), addresses(browser)
    load(browser, f"http://127.0.0.1:{live}/", width=width, dark=dark)
    until(browser, lambda: text(browser, "caption").startswith("class 0"))
    first = browser.execute_script("return document.getElementById('picture').src")
    until(browser, lambda: browser.execute_script("return document.getElementById('picture').src") != first)
    # In the square the network's class is drawn, in green; between two pictures there may be none to read.
    until(browser, lambda: greenish(pixel(browser, 0.25, 0.5)))
    until(browser, lambda: "shown" in text(browser, "frames"))
    assert text(browser, "source") == "street.mp4"
    assert text(browser, "infer").endswith(" ms")
    wide, inner = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner
    seen, bad = browser.execute_script(CONTRAST)
    assert seen > 20
    assert bad == []
    save(browser, f"video-{width}{'-dark' if dark else ''}")
    assert complaints(browser) == []
    hosts = {f"{scheme}://127.0.0.1:{live}/" for scheme in ("http", "ws")}
    asked = [url for url in addresses(browser) if not url.startswith(("blob:", "data:"))]
    assert asked
    assert all(url.startswith(tuple(hosts)) for url in asked), asked


def test_a_page_of_another_site_gets_no_picture(browser: Any, live: int, bright_net: Path) -> None:
    with served(bright_net, source="browser") as (other, _, _):
        browser.get(f"http://127.0.0.1:{other}/video/files/icon.svg")
        script = """
          const done = arguments[1];
          const socket = new WebSocket(`ws://127.0.0.1:${arguments[0]}/video/live`);
          socket.onopen = () => done('open'); socket.onerror = () => done('refused');
        """
        assert browser.execute_async_script(script, live) == "refused"


def test_a_visitors_camera_is_shown_with_the_answer(browser: Any, tmp_path: Path) -> None:
    net = networks.channel_means_tflite(tmp_path / "means.tflite", (1, 3, 32, 32))
    labels = tmp_path / "labels.txt"
    labels.write_text("red\ngreen\nblue\n")
    settings = {"source": "browser", "labels": labels, "keep": str(tmp_path / "kept"), "keep_rules": "every:1s"}
    with served(net, **settings) as (port, _, video):
        load(browser, f"http://localhost:{port}/video", width=PHONE)
        until(browser, lambda: browser.find_element("id", "start").is_displayed())
        assert browser.find_element("id", "stored").is_displayed()
        complaints(browser)
        browser.find_element("id", "start").click()
        # The camera that Chromium makes up is green.
        until(browser, lambda: text(browser, "caption").startswith("green"))
        shown = video.status()["frames"]["shown"]
        until(browser, lambda: video.status()["frames"]["shown"] > shown + 3)
        until(browser, lambda: greenish(pixel(browser, 0.1, 0.5)))
        save(browser, "video-camera")
        browser.find_element("id", "stop").click()
        until(browser, lambda: video.status()["viewers"] == 0)
        assert complaints(browser) == []
        assert text(browser, "error") == ""
    assert (tmp_path / "kept" / "frames.jsonl").read_text().count("\n") >= 1
