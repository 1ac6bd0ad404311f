"""The page to draw digits on: what it is sent with, whom it refuses, and how it works in a browser."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.chromium import CONTRAST, chromium, load

from edgerig.datasets.mnist import Mnist
from edgerig.errors import IncompatibleError
from edgerig.serve import Server, drawing, drawing_files
from edgerig.serve.ways.page import Page
from edgerig.testing import networks

#: Drawn by pointer and by keys alike: along lines, in pixels of the paper.
SEVEN = [(60, 55), (190, 55), (110, 210)]


def classifier() -> tuple[Any, Any]:
    """Weights (10, 784) and bias (10,) of a linear classifier: least squares on MNIST's bundled training digits."""
    dataset = Mnist()
    dataset.prepare()
    train = dataset.split("train")
    pixels = train.array[:4000].reshape(-1, 784) / np.float32(255)
    features = np.hstack([pixels, np.ones((len(pixels), 1), np.float32)]).astype(np.float64)
    wanted = np.eye(10)[train.labels[:4000]]
    solution = np.linalg.solve(features.T @ features + 30 * np.eye(785), features.T @ wanted)
    return solution[:-1].T.astype(np.float32), solution[-1].astype(np.float32)


@pytest.fixture(scope="module")
def weights() -> tuple[Any, Any]:
    return classifier()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, weights: tuple[Any, Any]) -> Iterator[Server]:
    path = networks.linear_tflite(tmp_path_factory.mktemp("page") / "linear.tflite", *weights)
    with Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(),)) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.address.port}/"


def ask(server: Server, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, Any, bytes]:
    """Status, headers and content of an answer; ``path`` goes out as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


# ---- without a browser


def test_a_picture_is_answered_with_what_the_network_says_of_it(server: Server, weights: tuple[Any, Any]) -> None:
    picture = drawing.picture([SEVEN])
    status, _, content = ask(server, "/digits/infer?target=0", "POST", picture.tobytes())
    answer = json.loads(content)
    expected = weights[0] @ (picture.ravel() / 255) + weights[1]
    assert status == 200
    assert answer["outputs"] == pytest.approx(expected.tolist(), abs=1e-5)
    assert answer["digit"] == int(expected.argmax()) == 7
    assert answer["target"] == "local"
    assert (answer["network"]["kind"], answer["network"]["unit"]) == ("measured", "s")
    assert answer["network"]["value"] > 0


def test_every_answer_forbids_what_comes_from_elsewhere(server: Server) -> None:
    for path in ("/", "/digits/digits.js", "/digits/digits.css", "/digits/icon.svg", "/digits/about", "/digits/none"):
        _, headers, _ = ask(server, path)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';"), path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[::1"},
        {"Host": "example.com"},
        {"Host": "example.com:8080", "Origin": "http://example.com:8080"},
        {"Host": ""},
        {"Host": "127.0.0.1.example.com"},
        {"Host": "[::1", "Origin": "http://[::1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
@pytest.mark.parametrize(("path", "method"), [("/digits/infer?target=0", "POST"), ("/digits/about", "GET")])
def test_other_sites_are_refused(server: Server, headers: dict[str, str], path: str, method: str) -> None:
    status, _, content = ask(server, path, method, b"\0" * 784 if method == "POST" else b"", **headers)
    assert status == 403
    assert "error" in json.loads(content)


def test_the_page_itself_is_let_in(server: Server) -> None:
    own = url(server).rstrip("/")
    for headers in ({"Origin": own}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}):
        assert ask(server, "/digits/about", **headers)[0] == 200
    assert ask(server, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200
    local = f"localhost:{server.address.port}"
    assert ask(server, "/digits/about", Host=local, Origin=f"http://{local}")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/digits/../pool.py",
        "/digits/..%2f..%2fpool.py",
        "/digits/%2e%2e/%2e%2e/pool.py",
        "/digits/..\\..\\pool.py",
        "/digits//etc/passwd",
        "/digits/%2fetc%2fpasswd",
        "/digits/digits.js%00.png",
        "/digits/index.html",
        "/digits/__init__.py",
        "/digits/",
        "/digits",
        "/digits.js",
        "/../../etc/passwd",
        "/digits/" + "a" * 5000,
    ],
)
def test_there_are_no_other_files(server: Server, path: str) -> None:
    status, _, content = ask(server, path)
    assert status == 404
    assert b"import" not in content
    assert b"root:" not in content


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ("target=0", b"", 400),
        ("target=0", b"\0" * 783, 400),
        ("target=0", b"\0" * 785, 413),
        ("target=0", b"\0" * 5_000_000, 413),
        ("target=1", b"\0" * 784, 404),
        ("target=-1", b"\0" * 784, 404),
        ("target=0x0", b"\0" * 784, 404),
        ("target=" + "9" * 4000, b"\0" * 784, 404),
        ("target=%D9%A1", b"\0" * 784, 404),
        ("", b"\0" * 784, 200),
    ],
)
def test_what_is_no_picture_is_refused_and_the_next_is_answered(
    server: Server, query: str, body: bytes, status: int
) -> None:
    try:
        assert ask(server, f"/digits/infer?{query}", "POST", body)[0] == status
    except (BrokenPipeError, ConnectionResetError):
        assert len(body) > 784, "a body that is too long is not read to its end"
    assert ask(server, "/digits/infer", "POST", b"\0" * 784)[0] == 200


def test_a_network_of_something_else_has_no_page_of_digits(tmp_path: Path) -> None:
    path = networks.dense_tflite(tmp_path / "four.tflite", 8, 4)
    with pytest.raises(IncompatibleError, match="no network of digits"):
        Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(["sim:stm32f746"]),))
    with Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(),)) as running:
        assert ask(running, "/")[0] == 404


def test_a_browser_asks_its_user_for_the_token_of_the_server(tmp_path: Path, weights: tuple[Any, Any]) -> None:
    path = networks.linear_tflite(tmp_path / "linear.tflite", *weights)
    with Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(),), token=b"a-secret") as running:
        status, headers, _ = ask(running, "/")
        assert status == 401
        assert 'Basic realm="edgerig"' in ", ".join(headers.get_all("WWW-Authenticate"))

        def shown(password: str, **more: str) -> int:
            text = base64.b64encode(f"anyone:{password}".encode()).decode()
            return ask(running, "/digits/infer", "POST", b"\0" * 784, Authorization=f"Basic {text}", **more)[0]

        assert shown("a-secret") == 200
        assert shown("a-secret", Origin=url(running).rstrip("/")) == 200
        assert [shown(""), shown("a-secre"), shown("a-secret:")] == [401] * 3
        assert shown("a-secret", Origin="http://example.com") == 401, "browsers show it for pages of other sites, too"
        assert ask(running, "/", Authorization="Basic ???")[0] == 401
        assert ask(running, "/", Authorization="Bearer a-secret")[0] == 200


@pytest.mark.slow
def test_the_page_offers_a_simulated_board_and_says_that_its_times_are_modelled(tmp_path: Path) -> None:
    path = networks.dense_tflite_int8(tmp_path / "int8.tflite", 784, 10)
    page = Page(["sim:stm32f746", "local"])
    with Server(path, listen="127.0.0.1:0", sessions=1, ways=(page,)) as running:
        about = json.loads(ask(running, "/digits/about")[2])
        picture = drawing.picture([SEVEN]).tobytes()
        answers = [
            json.loads(ask(running, f"/digits/infer?target={target}", "POST", picture)[2]) for target in range(2)
        ]
    assert about["targets"] == ["local", "sim:stm32f746"]
    assert [answer["target"] for answer in answers] == about["targets"]
    assert answers[0]["outputs"] == pytest.approx(answers[1]["outputs"], abs=0.02)
    board = answers[1]["network"]
    assert board["kind"] == "modelled"
    assert board["low"] < board["value"] < board["high"]


# ---- in a browser


def draw(browser: Any, points: list[tuple[float, float]]) -> None:
    """Draw with a mouse, along straight lines."""
    from selenium.webdriver.common.action_chains import ActionChains

    paper = browser.find_element("id", "paper")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", paper)
    scale = paper.rect["width"] / 250

    def at(point: tuple[float, float]) -> tuple[int, int]:
        return round((point[0] - 125) * scale), round((point[1] - 125) * scale)

    chain = ActionChains(browser, duration=40).move_to_element_with_offset(paper, *at(points[0])).click_and_hold()
    for point in points[1:]:
        chain.move_to_element_with_offset(paper, *at(point))
    chain.release().perform()


def until(browser: Any, condition: Callable[[], bool]) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 30, poll_frequency=0.1).until(lambda _: condition())


def answered(browser: Any) -> str:
    from selenium.webdriver.support.wait import WebDriverWait

    answer = browser.find_element("id", "answer")
    idle = "return !document.body.classList.contains('asking')"
    WebDriverWait(browser, 20).until(lambda _: answer.text != "–" and browser.execute_script(idle))
    return str(answer.text)


def seen(browser: Any) -> Any:
    """The picture that the page shows, (28, 28)."""
    script = """const c = document.getElementById('seen');
        return [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 == 0)"""
    return np.array(browser.execute_script(script), np.uint8).reshape(28, 28)


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1400])
def test_a_drawn_seven_is_a_seven(browser: Any, server: Server, width: int, weights: tuple[Any, Any]) -> None:
    load(browser, url(server), width=width)
    until(browser, lambda: browser.find_element("id", "name").text == "linear")
    draw(browser, SEVEN)
    # What was drawn on the way to it is answered, too.
    until(browser, lambda: answered(browser) == "7")
    shown = [float(cell.text) for cell in browser.find_elements("css selector", ".bar .number")]
    expected = weights[0] @ (seen(browser).ravel() / 255) + weights[1]
    assert shown == pytest.approx(expected.tolist(), abs=6e-4)
    assert browser.find_element("css selector", ".bar.best .digit").text == "7"
    assert browser.find_element("id", "where").text == "local"
    assert browser.find_element("id", "network").text.split()[1] in ("µs", "ms")
    ideal = drawing.picture([SEVEN]).astype(int)
    assert np.abs(seen(browser).astype(int) - ideal).mean() < 12


@pytest.mark.browser
def test_a_digit_can_be_drawn_with_keys_alone(browser: Any, server: Server) -> None:
    from selenium.webdriver.common.keys import Keys

    load(browser, url(server))
    body = browser.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "paper"
    paper = browser.switch_to.active_element
    # From the middle to the upper left corner of a seven, then its two lines; a long step is 20 pixels.
    paper.send_keys(Keys.SHIFT, Keys.ARROW_LEFT * 3, Keys.ARROW_UP * 4, Keys.SHIFT)
    paper.send_keys(" ")
    assert "Pen down" in browser.find_element("id", "status").get_attribute("textContent")
    paper.send_keys(Keys.ARROW_RIGHT * 24, Keys.ARROW_DOWN * 2)
    for _ in range(14):
        paper.send_keys(Keys.ARROW_LEFT, Keys.ARROW_DOWN * 2)
    paper.send_keys(" ")
    assert "Pen up" in browser.find_element("id", "status").get_attribute("textContent")
    assert answered(browser) == "7"
    before = seen(browser)
    paper.send_keys(Keys.ARROW_LEFT * 5)
    assert np.array_equal(seen(browser), before), "the lifted pen draws nothing"
    steps = [(5, 0)] * 24 + [(0, 5)] * 2 + [(-5, 0), (0, 5), (0, 5)] * 14
    stroke = np.cumsum([(125 - 60, 125 - 80), *steps], axis=0)
    assert np.array_equal(before, drawing.picture([stroke.tolist()]))
    paper.send_keys(Keys.BACKSPACE)
    assert browser.find_element("id", "answer").text == "–"
    assert not seen(browser).any()
    paper.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") != "paper", "the paper lets go of the keyboard"


@pytest.mark.browser
def test_centring_is_an_option_and_undo_takes_back_a_stroke(browser: Any, server: Server) -> None:
    load(browser, url(server))
    draw(browser, [(30, 30), (60, 30), (40, 70)])
    answered(browser)
    centred = seen(browser)
    browser.find_element("id", "centred").click()
    whole = seen(browser)
    assert np.flatnonzero(whole.max(1)).max() < 11
    assert np.flatnonzero(centred.max(1)).max() > 18
    draw(browser, [(200, 200), (220, 200)])
    assert np.flatnonzero(seen(browser).max(1)).max() > 20
    browser.find_element("id", "undo").click()
    assert np.array_equal(seen(browser), whole)
    browser.find_element("id", "clear").click()
    assert not seen(browser).any()
    assert browser.find_element("id", "sure").text == "Draw a digit."
    assert not browser.find_element("id", "png").is_enabled()


@pytest.mark.browser
def test_exports_are_the_picture_that_is_shown(browser: Any, server: Server, tmp_path: Path) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    load(browser, url(server))
    draw(browser, SEVEN)
    answered(browser)
    picture = seen(browser)
    for button, suffix in (("text", ".txt"), ("png", ".png"), ("header", ".h")):
        browser.find_element("id", button).click()
        path = tmp_path / f"digit{suffix}"
        WebDriverWait(browser, 20).until(lambda _, path=path: path.exists() and path.stat().st_size > 800)
        assert path.read_bytes() == drawing_files.WRITERS[suffix](picture)


@pytest.mark.browser
def test_a_finger_draws_and_does_not_scroll(browser: Any, server: Server) -> None:
    load(browser, url(server), width=390)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    browser.execute_script("scrollTo(0, 60)")
    box = browser.execute_script(
        "const b = document.getElementById('paper').getBoundingClientRect(); return [b.left, b.top, b.width]"
    )
    for kind, points in (
        ("touchStart", SEVEN[:1]),
        ("touchMove", SEVEN[1:2]),
        ("touchMove", SEVEN[2:]),
        ("touchEnd", []),
    ):
        at = [{"x": box[0] + x * box[2] / 250, "y": box[1] + y * box[2] / 250} for x, y in points]
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert answered(browser) == "7"
    assert browser.execute_script("return scrollY") == 60
    assert np.abs(seen(browser).astype(int) - drawing.picture([SEVEN])).max() < 60


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(360, False), (390, True), (768, False), (1400, True), (1400, False)])
def test_the_page_fits_and_can_be_read(browser: Any, server: Server, width: int, dark: bool) -> None:
    browser.get_log("performance")
    browser.get_log("browser")
    load(browser, url(server), width=width, dark=dark)
    draw(browser, SEVEN)
    answered(browser)
    inner, whole = browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert (inner, whole <= inner) == (width, True)
    count, bad = browser.execute_script(CONTRAST)
    assert count > 40
    assert bad == []
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('button, select')].map(e => e.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 40
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert len(requested) > 5
    assert all(request.startswith(url(server)) for request in requested)
    assert [entry["message"] for entry in browser.get_log("browser")] == []


@pytest.mark.browser
def test_a_server_that_has_ended_is_told_on_the_page(browser: Any, tmp_path: Path, weights: tuple[Any, Any]) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    path = networks.linear_tflite(tmp_path / "linear.tflite", *weights)
    with Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(),)) as running:
        load(browser, url(running))
        draw(browser, SEVEN)
        answered(browser)
    draw(browser, [(20, 20), (40, 40)])
    error = browser.find_element("id", "error")
    WebDriverWait(browser, 20).until(lambda _: error.is_displayed())
    assert error.text == "The server does not answer. Is it still running?"
    assert browser.find_element("id", "answer").text == "–"
    browser.get_log("browser")
