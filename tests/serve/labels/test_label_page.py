"""The page to label on in a real browser: painting, keys, several people, a lost server, zoom, phones, EXIF."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.chromium import CONTRAST, chromium
from tests.serve.labels.conftest import image, labelling, labels_in, make, newest
from tests.serve.labels.test_label_versions import start
from tests.serve.video.test_browser import addresses, complaints, save, text, until

from edgerig.datasets.labels.masks import shape_mask
from edgerig.serve.labels.colours import colour_of
from edgerig.serve.labels.raster import runs_of
from edgerig.serve.labels.server import LabelServer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENTER, ESCAPE, CONTROL, SHIFT = "\ue007", "\ue00c", "\ue009", "\ue008"
RIGHT, DOWN = "\ue014", "\ue015"
WIDTH, HEIGHT = 320, 240


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("obstore")
    path = tmp_path_factory.mktemp("labels")
    names = ["paint", "shapes", "zoom", "together", "keys", "phone", "fingers"]
    files = {f"{name}.png": image() for name in names} | {
        "broken.png": b"no image",
        "turned.jpg": image(320, 240, "JPEG", 6),
    }
    make(path / "street", {**files, "large.jpg": image(4000, 3000, "JPEG")})
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LabelServer]:
    with labelling(folder) as running:
        yield running


def show(
    browser: Any, port: int, picture: str, *, who: str = "Ann", width: int = 1280, ratio: float = 1, dark: bool = False
) -> None:
    """Open a picture on the page. Ann's page is of another host than Bob's, so that each has a storage of its own."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": ratio, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    host = {"Ann": "127.0.0.1", "Bob": "localhost"}[who]
    address = f"http://{host}:{port}/"
    if not browser.current_url.startswith(address):
        browser.get(address)
        browser.execute_script("localStorage.setItem('edgerig labels name', arguments[0])", who)
    browser.get(f"{address}#{picture}")
    browser.refresh()
    until(
        browser,
        lambda: browser.execute_script(
            "return edgerig.app.document !== null && edgerig.app.picture === arguments[0]", picture
        ),
    )


def run(browser: Any, script: str, *arguments: Any) -> Any:
    return browser.execute_script(f"const app = edgerig.app; {script}", *arguments)


def keys(browser: Any, *pressed: str, held: str = "") -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    chain = ActionChains(browser)
    if held:
        chain.key_down(held)
    chain.send_keys(*pressed)
    if held:
        chain.key_up(held)
    chain.perform()


def client(browser: Any, x: float, y: float) -> tuple[float, float]:
    """Where a point of the picture is in the window."""
    script = """
      const b = app.view.canvas.getBoundingClientRect(), v = app.view;
      return [b.x + v.x + arguments[0] * v.scale, b.y + v.y + arguments[1] * v.scale];
    """
    left, top = run(browser, script, x, y)
    return left, top


def drag(browser: Any, *points: tuple[float, float]) -> None:
    """Press at the first of these points of the picture, move over the others, and release."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    actions = ActionBuilder(browser, duration=0)
    for index, point in enumerate(points):
        x, y = client(browser, *point)
        actions.pointer_action.move_to_location(round(x), round(y))
        if index == 0:
            actions.pointer_action.pointer_down()
    actions.pointer_action.pointer_up()
    actions.perform()


def saved(browser: Any) -> None:
    until(browser, lambda: text(browser, "state") == "all saved")


def masks(browser: Any) -> dict[str, list[int]]:
    """The runs of each mask that has pixels, by its class, as the page has them."""
    script = """
      const seen = [...app.document.labels.values()].filter((l) => l.shape.type === "mask" && app.visible(l));
      return Object.fromEntries(seen.map((l) => [l.shape.label, app.document.canvas.runs(l.shape.id)]));
    """
    answer: dict[str, list[int]] = run(browser, script)
    return answer


def stored(folder: Path, name: str) -> dict[str, list[int]]:
    """The same of the newest version, as Python renders it."""
    labels = labels_in(folder / "street", name)
    return {
        shape.category: runs_of(shape_mask(shape, labels.height, labels.width)) for shape in labels.shapes if shape.runs
    }


#: A pixel of the picture near the middle of the canvas.
MIDDLE = """
  const v = app.view, { x, y } = v.canvas.getBoundingClientRect();
  return v.point({ clientX: x + 300, clientY: y + 300 }).map(Math.floor);
"""
#: The colour on the canvas at a point of the window.
DRAWN = """
  app.view.paint();
  const { canvas, ratio } = app.view, { x, y } = canvas.getBoundingClientRect();
  const at = [(arguments[0] - x) * ratio, (arguments[1] - y) * ratio];
  return [...canvas.getContext("2d").getImageData(...at, 1, 1).data].slice(0, 3);
"""


def test_what_is_painted_is_what_python_renders_and_a_reload_keeps_it(
    browser: Any, server: LabelServer, folder: Path
) -> None:
    show(browser, server.address.port, "paint.png")
    complaints(browser), addresses(browser)
    keys(browser, "b", "1")
    run(browser, "app.setRadius(9)")
    drag(browser, (40, 40), (200, 60), (180, 200), (330, 250))
    car = masks(browser)["car"]
    keys(browser, "2")
    drag(browser, (20, 200), (250, 30))
    both = masks(browser)
    assert sum(both["car"][1::2]) < sum(car[1::2]), "road takes pixels from the car"
    keys(browser, "e")
    drag(browser, (100, 20), (100, 230))
    erased = masks(browser)
    assert sum(erased["road"][1::2]) < sum(both["road"][1::2])
    keys(browser, "z", held=CONTROL)
    assert masks(browser) == both
    keys(browser, "z", held=CONTROL)
    assert masks(browser) == {"car": car}
    keys(browser, "y", "y", held=CONTROL)
    assert masks(browser) == erased
    saved(browser)
    browser.refresh()
    until(browser, lambda: run(browser, "return app.document !== null"))
    assert masks(browser) == erased
    keys(browser, "z", held=CONTROL)
    assert masks(browser) == both, "what was done before the reload can be undone"
    saved(browser)
    browser.find_element("id", "commit").click()
    until(browser, lambda: "has the labels of 1 picture" in text(browser, "message"))
    assert stored(folder, "paint.png") == both
    save(browser, "label-paint")
    assert complaints(browser) == []
    asked = [url for url in addresses(browser) if not url.startswith(("blob:", "data:"))]
    assert asked
    assert all(url.split("://")[1].startswith(f"127.0.0.1:{server.address.port}/") for url in asked), asked


def test_boxes_polygons_and_classes(browser: Any, server: LabelServer, folder: Path) -> None:
    show(browser, server.address.port, "shapes.png")
    keys(browser, "2", "r")
    drag(browser, (30, 40), (100, 120))
    keys(browser, "3", "p")
    for point in ((150, 50), (250, 60), (200, 150)):
        drag(browser, point)
    keys(browser, ENTER)
    run(browser, "app.select(null)")
    keys(browser, "1", held=SHIFT)
    keys(browser, "2", "a")
    for point in ((10, 160), (110, 160), (110, 220), (10, 220)):
        drag(browser, point)
    keys(browser, ENTER)
    for point in ((50, 180), (60, 180), (60, 190), (50, 190)):
        drag(browser, point)
    keys(browser, ENTER, held=SHIFT)
    keys(browser, "v")
    drag(browser, (60, 80), (70, 90))
    drag(browser, (110, 130), (120, 140))
    keys(browser, "1")
    drag(browser, (300, 230))
    saved(browser)
    keys(browser, ENTER)
    until(browser, lambda: run(browser, "return app.list.pictures.get('shapes.png').state") == "done")
    assert run(browser, "return app.picture") != "shapes.png"
    keys(browser, "s", held=CONTROL)
    until(browser, lambda: "has the labels" in text(browser, "message"))
    entry = newest(folder / "street").by_name()["shapes.png"]
    assert (entry.label, entry.extra["state"], entry.extra["labelled_by"]) == ("car", "done", "Ann")
    box, polygon, area = labels_in(folder / "street", "shapes.png").shapes
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[160:220, 10:110] = True
    expected[180:190, 50:60] = False
    np.testing.assert_array_equal(shape_mask(area, HEIGHT, WIDTH), expected)
    # Moved by ten pixels as a whole, and by its lower right corner, and then of another class.
    assert (box.category, box.box) == ("car", (40, 50, 80, 90))
    assert (polygon.category, polygon.polygons[0].outer) == ("tree", (150, 50, 250, 60, 200, 150))


@pytest.mark.parametrize("ratio", [1, 2])
def test_zoom_and_the_screens_resolution_move_nothing(browser: Any, server: LabelServer, ratio: int) -> None:
    show(browser, server.address.port, "zoom.png", ratio=ratio)
    keys(browser, "b", "1")
    run(browser, "app.setRadius(0)")
    pixels = {}
    for number, (zoom, pan) in enumerate([(1, (0, 0)), (2.5, (37, -21)), (8, (-50.5, 60.25)), (0.35, (0, 0))]):
        run(browser, "app.view.fit(); app.view.zoom(arguments[0]); app.view.pan(...arguments[1])", zoom, pan)
        # The middle of a pixel near the middle of the canvas.
        x, y = run(browser, MIDDLE)
        before = masks(browser).get("car", [])
        drag(browser, (x + 0.5, y + 0.5))
        after = masks(browser)["car"]
        start_of = y * WIDTH + x
        pixels[number] = (x, y)
        assert any(first <= start_of < first + length for first, length in zip(after[::2], after[1::2], strict=True)), (
            x,
            y,
        )
        added = sum(after[1::2]) - sum(before[1::2])
        # Zoomed out, a pixel of the screen is several of the picture.
        assert added == 1 or zoom < 1
    # What is drawn of a pixel is where the pixel is.
    run(browser, "app.view.fit(); app.view.zoom(6); app.setOpacity(1); app.view.reveal(arguments[0])", pixels[0])
    x, y = client(browser, pixels[0][0] + 0.5, pixels[0][1] + 0.5)
    colour = run(browser, DRAWN, x, y)
    beside = run(browser, DRAWN, x + 1.5 * run(browser, "return app.view.scale"), y)
    assert colour == [0, 158, 115]
    assert beside != [0, 158, 115]
    assert run(browser, "return app.view.canvas.width / app.view.canvas.clientWidth") == pytest.approx(ratio, abs=0.01)
    while masks(browser):
        keys(browser, "z", held=CONTROL)
    saved(browser)


def test_two_people_at_once_on_one_picture(browser: Any, server: LabelServer) -> None:
    port = server.address.port
    show(browser, port, "together.png", who="Ann")
    ann = browser.current_window_handle
    browser.switch_to.new_window("window")
    bob = browser.current_window_handle
    try:
        show(browser, port, "together.png", who="Bob")
        until(browser, lambda: "Also here: Ann" in text(browser, "others"))
        run(browser, "app.setRadius(5); app.choose('road')")
        drag(browser, (20, 200), (300, 200))
        saved(browser)
        browser.switch_to.window(ann)
        until(browser, lambda: "road" in masks(browser))
        run(browser, "app.setRadius(5); app.choose('car')")
        drag(browser, (160, 100), (160, 230))
        saved(browser)
        hers = masks(browser)
        assert set(hers) == {"road", "car"}
        browser.switch_to.window(bob)
        until(browser, lambda: masks(browser) == hers)
        # His undo takes back his stroke, and not hers, which came later; the car's pixels on the road stay the car's.
        keys(browser, "z", held=CONTROL)
        saved(browser)
        assert masks(browser) == {"car": hers["car"]}
        browser.switch_to.window(ann)
        until(browser, lambda: masks(browser) == {"car": hers["car"]})
        browser.switch_to.window(bob)
        browser.get("about:blank")
        browser.switch_to.window(ann)
        until(browser, lambda: text(browser, "others") == "")
        browser.switch_to.window(bob)
    finally:
        browser.close()
        browser.switch_to.window(ann)


def test_strokes_outlast_a_server_that_is_killed_and_arrive_once(browser: Any, tmp_path: Path) -> None:
    make(tmp_path / "street", {"a.png": image(), "b.png": image()})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process, _ = start(tmp_path, "--listen", f"127.0.0.1:{port}")
    try:
        show(browser, port, "a.png")
        run(browser, "app.setRadius(3); app.choose('car')")
        drag(browser, (20, 20), (90, 20))
        saved(browser)
        process.kill()
        process.communicate()
        until(browser, lambda: "no connection" in text(browser, "state"))
        drag(browser, (20, 50), (90, 50))
        drag(browser, (20, 80), (90, 80))
        assert text(browser, "state") == "no connection; 2 changes wait here"
        painted = masks(browser)
        process, _ = start(tmp_path, "--listen", f"127.0.0.1:{port}")
        saved(browser)
        assert masks(browser) == painted
        # Without a server, and then without the page: the browser's storage has them.
        process.kill()
        process.communicate()
        until(browser, lambda: "no connection" in text(browser, "state"))
        drag(browser, (20, 110), (90, 110))
        painted = masks(browser)
        browser.get("about:blank")
        process, _ = start(tmp_path, "--listen", f"127.0.0.1:{port}")
        show(browser, port, "b.png")
        saved(browser)
        show(browser, port, "a.png")
        assert masks(browser) == painted
        assert run(browser, "return app.document.records.length") == 4
    finally:
        process.terminate()
        process.communicate()
    assert stored(tmp_path, "a.png") == painted


def test_everything_by_keys(browser: Any, server: LabelServer) -> None:
    show(browser, server.address.port, "keys.png")
    keys(browser, "?")
    until(browser, lambda: browser.find_element("id", "help").is_displayed())
    assert "Done, and the next picture" in text(browser, "keys")
    save(browser, "label-keys")
    assert run(browser, "return document.activeElement.id") == "help-title", "it is read from its beginning"
    keys(browser, ESCAPE)
    tabbed = "return document.querySelectorAll('#list button[tabindex=\"0\"]').length"
    assert run(browser, tabbed) == 1, "however many pictures there are, Tab stops once among them"
    run(browser, "app.list.rows.get('keys.png').focus()")
    keys(browser, DOWN)
    name = "return document.activeElement.dataset.name"
    assert run(browser, name) == run(browser, "const all = app.list.names(); return all[all.indexOf('keys.png') + 1]")
    assert run(browser, tabbed) == 1
    run(browser, "document.activeElement.blur()")
    keys(browser, "b", "3", "[", "[", "0")
    keys(browser, RIGHT, " ", *[RIGHT] * 5, *[DOWN] * 3, " ")
    tree = masks(browser)["tree"]
    radius = run(browser, "return app.radius")
    assert sum(tree[1::2]) > 8 * (2 * radius + 1)
    keys(browser, RIGHT)
    assert masks(browser)["tree"] == tree, "the pen is up"
    keys(browser, "r", " ", RIGHT, RIGHT, DOWN, " ")
    keys(browser, "p", " ", RIGHT, " ", DOWN, " ", ENTER)
    kinds = "return [...app.document.labels.values()].map(l => l.shape.type)"
    assert run(browser, kinds) == ["mask", "box", "polygon"]
    assert run(browser, "return app.picture") == "keys.png", "Enter closed the polygon, and no more"
    keys(browser, ESCAPE, "s", "s")
    assert run(browser, "return app.document.labels.get(app.view.selected).shape.type") == "box"
    sides = run(browser, "return app.document.labels.get(app.view.selected).shape.box")
    keys(browser, "v", RIGHT)
    moved = run(browser, "return app.document.labels.get(app.view.selected).shape.box")
    assert moved == [sides[0] + 1, *sides[1:]]
    keys(browser, "\ue017")
    assert run(browser, kinds) == ["mask", "polygon"]
    keys(browser, "u")
    until(browser, lambda: run(browser, "return app.list.pictures.get('keys.png').state") == "doubtful")
    until(browser, lambda: run(browser, "return app.picture") == "large.jpg")
    keys(browser, ",")
    until(browser, lambda: run(browser, "return app.picture") == "keys.png")
    browser.find_element("id", "filter").send_keys("doubtful")
    assert run(browser, "return app.list.names()") == ["keys.png"]


def test_a_class_is_added_and_chosen_on_the_page(browser: Any, server: LabelServer) -> None:
    show(browser, server.address.port, "keys.png")
    keys(browser, "k")
    until(browser, lambda: browser.find_element("id", "new-class").is_displayed())
    browser.find_element("id", "new-class-name").send_keys("kiosk", ENTER)
    until(browser, lambda: run(browser, "return app.klass") == "kiosk")
    keys(browser, "b", RIGHT, " ", RIGHT, " ")
    saved(browser)
    assert "kiosk" in masks(browser)
    assert run(browser, "return app.classes.at(-1).colour") == colour_of(len(server._hub.classes) - 1)


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (1280, False), (390, False)])
def test_it_fits_and_can_be_read(browser: Any, server: LabelServer, width: int, dark: bool) -> None:
    show(browser, server.address.port, "phone.png", width=width, dark=dark, ratio=2 if width < 500 else 1)
    complaints(browser)
    keys(browser, "b", "2")
    drag(browser, (30, 120), (150, 180), (280, 120))
    saved(browser)
    wide, inner = run(browser, "return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner
    seen, bad = browser.execute_script(CONTRAST)
    assert seen > 30
    assert bad == []
    assert "road" in masks(browser)
    save(browser, f"label-{width}{'-dark' if dark else ''}")
    assert complaints(browser) == []


def test_one_finger_paints_and_two_zoom(browser: Any, server: LabelServer) -> None:
    show(browser, server.address.port, "fingers.png", width=390, ratio=2)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        left, top = client(browser, 50, 60)
        touch("touchStart", (left, top))
        for step in range(1, 9):
            touch("touchMove", (left + 10 * step, top))
        touch("touchEnd")
        saved(browser)
        strokes = "return app.document.records.map(r => r.operation).filter(o => o.kind === 'stroke')"
        (stroke,) = run(browser, strokes)
        assert stroke["points"][1] == 60
        assert stroke["points"][-2] == pytest.approx(50 + 80 / run(browser, "return app.view.scale"), abs=2)
        before = run(browser, "return app.view.scale")
        touch("touchStart", (left, top))
        touch("touchStart", (left, top), (left + 40, top))
        for step in range(1, 9):
            touch("touchMove", (left, top), (left + 40 + 10 * step, top))
        touch("touchEnd")
        assert run(browser, "return app.view.scale") == pytest.approx(3 * before)
        # What the first finger had begun before the second one came is no stroke.
        assert run(browser, strokes) == [stroke]
        # The picture's point that was under the first finger still is.
        assert client(browser, 50, 60) == pytest.approx((left, top), abs=1)
    finally:
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_a_large_picture_and_a_broken_one(browser: Any, server: LabelServer, folder: Path) -> None:
    show(browser, server.address.port, "large.jpg")
    run(browser, "app.setRadius(100); app.choose('car')")
    drag(browser, (100, 100), (2000, 1500), (3900, 2900), (3900, 100))
    painted = masks(browser)["car"]
    assert sum(painted[1::2]) > 1_000_000
    saved(browser)
    keys(browser, "s", held=CONTROL)
    until(browser, lambda: "has the labels" in text(browser, "message"))
    assert stored(folder, "large.jpg") == {"car": painted}
    run(browser, "app.open('broken.png')")
    until(browser, lambda: "is no usable image" in text(browser, "waiting"))
    until(browser, lambda: run(browser, "return app.list.pictures.get('broken.png').problem") != "")
    run(browser, "app.open('paint.png')")
    until(browser, lambda: run(browser, "return app.document !== null"))


def test_a_turned_picture_is_labelled_as_it_is_seen(browser: Any, server: LabelServer, folder: Path) -> None:
    show(browser, server.address.port, "turned.jpg")
    assert run(browser, "return [app.document.width, app.document.height]") == [240, 320]
    # Stored on its side: what is red there in the upper left corner is in the upper right one upright.
    assert run(browser, DRAWN, *client(browser, 200, 40))[0] > 150
    assert run(browser, DRAWN, *client(browser, 40, 40))[0] < 150
    keys(browser, "1", "r")
    drag(browser, (120, 0), (240, 160))
    saved(browser)
    keys(browser, "s", held=CONTROL)
    until(browser, lambda: "has the labels" in text(browser, "message"))
    labels = labels_in(folder / "street", "turned.jpg")
    assert (labels.width, labels.height) == (240, 320)
    from edgerig.datasets.images import read_image

    path = folder / "turned.jpg"
    path.write_bytes(image(320, 240, "JPEG", 6))
    pixels = read_image(path, 3)
    left, top, width, height = (round(side) for side in labels.shapes[0].box or ())
    inside = np.zeros(pixels.shape[:2], bool)
    inside[top : top + height, left : left + width] = True
    red = pixels[..., 0].astype(int) - pixels[..., 2] > 80
    assert (red == inside).mean() > 0.97


def test_a_browser_shows_the_token_for_the_page_its_pictures_and_its_connection(browser: Any, tmp_path: Path) -> None:
    make(tmp_path / "street", {"a.png": image()})
    with labelling(tmp_path, token=b"a-secret-of-some-length", commit=False) as server:
        port = server.address.port
        browser.get(f"http://anybody:a-secret-of-some-length@127.0.0.1:{port}/")
        show(browser, port, "a.png")
        drag(browser, (20, 20), (90, 20))
        saved(browser)
