"""The page of a network of images: what it says of pictures, which it refuses, and how it works in a browser."""

from __future__ import annotations

import base64
import http.client
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.chromium import CONTRAST, chromium, load

from edgerig.errors import IncompatibleError, RequestError
from edgerig.serve import Server
from edgerig.serve.picture import decode_picture
from edgerig.serve.video.settings import ViewSettings
from edgerig.serve.ways.page import Page
from edgerig.testing import networks

HEIGHT, WIDTH = 60, 80


def file_of(pixels: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def half_white(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    pixels = np.full((height, width, 3), 20, np.uint8)
    pixels[:, : width // 4] = 255
    return pixels


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A network whose class map is 1 where a picture is nearly white."""
    path = networks.bright_pixels_tflite(tmp_path_factory.mktemp("net") / "bright.tflite", HEIGHT, WIDTH)
    with Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(),)) as running:
        yield running


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A network that says which of three colours a picture has most of."""
    path = networks.channel_means_tflite(tmp_path_factory.mktemp("net") / "colours.tflite", (1, 3, 24, 32))
    labels = path.with_suffix(".txt")
    labels.write_text("red\ngreen\nblue\n")
    with Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(view=ViewSettings(labels=labels)),)) as running:
        yield running


def ask(server: Server, body: bytes, path: str = "/picture/infer", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=30)
    connection.request("POST" if body else "GET", path, body or None, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content)


def test_a_mask_is_drawn_over_the_picture(masks: Server) -> None:
    status, answer = ask(masks, file_of(half_white()))
    assert status == 200
    shares = {row["name"]: row["value"] for row in answer["rows"]}
    assert shares == {"class 0": pytest.approx(0.75), "class 1": pytest.approx(0.25)}
    assert set(answer["milliseconds"]) == {"decode", "prepare", "queue", "transport"}
    assert answer["network"]["kind"] == "measured"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["picture"]))))
    # It is enlarged, so that the texts do not cover it.
    assert shown.shape == (4 * HEIGHT, 4 * WIDTH, 3)
    assert shown[200, 32].min() < 200 <= shown[200, 32].max()
    assert shown[200, 240].max() < 40


@pytest.mark.parametrize(("colour", "name"), [(0, "red"), (1, "green"), (2, "blue")])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_every_kind_of_file_is_read(classes: Server, colour: int, name: str, form: str) -> None:
    pixels = np.zeros((33, 47, 3), np.uint8)
    pixels[..., colour] = 250
    status, answer = ask(classes, file_of(pixels, form))
    assert (status, answer["rows"][0]["name"], answer["width"], answer["height"]) == (200, name, 47, 33)
    assert answer["rows"][0]["value"] == pytest.approx(250 / 255, abs=0.01)


def test_a_photo_is_turned_as_its_camera_was(masks: Server) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned: rows of the file are columns of the picture, from right to left.
    picture = decode_picture(file_of(np.rot90(half_white()), "PNG", exif=exif))
    np.testing.assert_array_equal(picture.pixels, half_white())
    _, upright = ask(masks, file_of(half_white()))
    _, turned = ask(masks, file_of(np.rot90(half_white()), "PNG", exif=exif))
    assert turned["rows"] == upright["rows"]
    assert turned["picture"] == upright["picture"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no picture at all", "is no picture"),
        (file_of(half_white())[:90], "is damaged"),
        (b"", "is no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG, PNG, WebP, GIF and BMP"),
    ],
)
def test_what_is_no_picture_is_told(data: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        decode_picture(data)


def claimed(width: int, height: int, form: str) -> bytes:
    """A small file whose header claims a large picture."""
    data = bytearray(file_of(np.zeros((8, 8, 3), np.uint8), form))
    if form == "PNG":
        import zlib

        data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    else:
        start = data.index(b"\xff\xc0") + 5
        data[start : start + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


@pytest.mark.parametrize(("form", "width"), [("PNG", 8200), ("PNG", 60_000), ("JPEG", 20_000)])
def test_a_picture_of_too_many_pixels_is_never_decoded(form: str, width: int) -> None:
    with pytest.raises(RequestError, match="pixels are taken; scale it down"):
        decode_picture(claimed(width, 6200, form))


@pytest.mark.slow
def test_a_photo_of_50_megapixels_is_read_with_a_quarter_of_its_pixels() -> None:
    image = Image.new("RGB", (8192, 6144), (200, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    del image
    picture = decode_picture(buffer.getvalue())
    assert picture.pixels.shape == (3072, 4096, 3)
    assert (picture.taken, picture.reduced) == ((8192, 6144), True)


def test_errors_reach_the_client_and_the_next_picture_is_answered(masks: Server) -> None:
    status, answer = ask(masks, b"nothing")
    assert (status, answer["error"].split(";")[0]) == (400, "This is no picture that can be read")
    assert ask(masks, file_of(half_white()))[0] == 200
    assert ask(masks, b"", "/picture/none.js")[0] == 404
    assert ask(masks, file_of(half_white()), Origin="http://elsewhere.example")[0] == 403
    _, about = ask(masks, b"", "/picture/about")
    assert (about["task"], about["classes"]) == ("segmentation", 2)
    assert any("Task: segmentation" in line for line in about["told"])


def test_a_network_of_no_images_has_no_page(tmp_path: Path) -> None:
    path = networks.dense_tflite(tmp_path / "dense.tflite")
    with Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(),)) as server:
        assert ask(server, b"", "/picture/about")[0] == 404
    with (
        pytest.raises(IncompatibleError, match="image"),
        Server(path, listen="127.0.0.1:0", sessions=1, ways=(Page(view=ViewSettings(task="classification")),)),
    ):
        pass


# ---- in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


def until(browser: Any, condition: Callable[[], Any]) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 30, poll_frequency=0.1).until(lambda _: condition())


def text(browser: Any, name: str) -> str:
    return str(browser.find_element("id", name).text)


#: Hands a file to the page, by an event of the kind that a drop or Ctrl+V makes.
HANDED = """
const [kind, name, type, data] = arguments;
const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
const transfer = new DataTransfer();
transfer.items.add(new File([bytes], name, { type }));
const event = kind === 'drop' ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
  : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true });
document.getElementById('screen').dispatchEvent(event);
"""


def hand(browser: Any, kind: str, data: bytes, name: str = "photo.png", type_: str = "image/png") -> None:
    browser.execute_script(HANDED, kind, name, type_, base64.b64encode(data).decode())


@pytest.mark.browser
@pytest.mark.slow
def test_pictures_come_by_file_drop_and_paste(browser: Any, classes: Server, masks: Server, tmp_path: Path) -> None:
    load(browser, f"http://127.0.0.1:{classes.address.port}/")
    until(browser, lambda: text(browser, "name") == "colours")
    green = np.zeros((40, 90, 3), np.uint8)
    green[..., 1] = 250
    (tmp_path / "green.png").write_bytes(file_of(green))
    browser.find_element("id", "file").send_keys(str(tmp_path / "green.png"))
    until(browser, lambda: text(browser, "answer") == "green")
    assert "green.png, 90×40" in text(browser, "caption")
    assert browser.execute_script("return document.getElementById('picture').naturalWidth") == 90
    assert text(browser, "network").split()[-1] in ("ms", "µs")
    hand(browser, "drop", file_of(green[..., ::-1][..., [1, 0, 2]]))
    until(browser, lambda: text(browser, "answer") == "red")
    hand(browser, "paste", b"not a picture", "notes.txt", "text/plain")
    until(browser, lambda: "This is no picture" in text(browser, "error"))
    assert text(browser, "answer") == "–"
    # Another network's page: the mask has its class's colour.
    load(browser, f"http://127.0.0.1:{masks.address.port}/")
    until(browser, lambda: text(browser, "name") == "bright")
    hand(browser, "paste", file_of(half_white()))
    until(browser, lambda: text(browser, "answer") == "class 0")
    assert not text(browser, "error")
    errors = [
        entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE" and "400" not in entry["message"]
    ]
    assert errors == []


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_is_used_by_keyboard(browser: Any, masks: Server, dark: bool) -> None:
    from selenium.webdriver.common.keys import Keys

    load(browser, f"http://127.0.0.1:{masks.address.port}/", width=390, dark=dark)
    until(browser, lambda: text(browser, "name") == "bright")
    hand(browser, "drop", file_of(half_white(600, 3000)))
    until(browser, lambda: text(browser, "answer") == "class 0")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    seen, bad = browser.execute_script(CONTRAST)
    assert seen > 15
    assert bad == []
    # Tab comes to the button first; Enter on it opens the chooser.
    browser.execute_script("document.getElementById('file').click = () => { document.title = 'chooser'; }")
    body = browser.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    assert browser.execute_script("return document.activeElement.id") == "choose"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.title == "chooser"
