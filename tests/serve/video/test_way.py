"""The way in called video, on a real server, with real clients."""

from __future__ import annotations

import io
import itertools
import json
import socket
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.serve.video.clients import Socket, pictures, request
from tests.serve.video.conftest import FRAMES, served
from tests.serve.video.senders import jpeg, shade

from edgerig.errors import SourceError, UsageError
from edgerig.serve.video.settings import VideoSettings
from edgerig.serve.video.sources.browser import MOST_BYTES
from edgerig.serve.video.viewers import GONE
from edgerig.serve.video.visitors import MOST
from edgerig.serve.video.way import Video
from edgerig.tasks.map_views import COLOURS
from edgerig.testing import networks

#: A pixel in the white square of the street, where the network's class 1 is drawn; and the colour that it has then.
IN_SQUARE = (60, 40)
MIXED = 128 + COLOURS[0] // 2


def pixels_of(data: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_picture_has_the_mask_over_the_frame(live: int) -> None:
    data = next(pictures(live))
    image = pixels_of(data)
    assert image.shape == (120, 160, 3)
    assert np.abs(image[IN_SQUARE] - MIXED).max() < 6
    # The ground is a frame's own grey, uncoloured.
    ground = image[60, 130]
    assert shade(0) - 2 <= ground.mean() <= shade(FRAMES) + 2
    assert np.ptp(ground) <= 2


def test_another_player_reads_the_stream(live: int) -> None:
    import av

    with av.open(f"http://127.0.0.1:{live}/video_feed", timeout=20) as container:
        sizes = {(frame.width, frame.height) for frame in itertools.islice(container.decode(video=0), 5)}
    assert sizes == {(160, 120)}


def test_viewers_share_one_encoding_and_who_reads_nothing_holds_up_nobody(live: int) -> None:
    with socket.create_connection(("127.0.0.1", live)) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.sendall(f"GET /video_feed HTTP/1.1\r\nHost: 127.0.0.1:{live}\r\n\r\n".encode())
        ones, others = pictures(live), pictures(live)
        first, second = set(), set()
        for _ in range(30):
            first.add(next(ones))
            second.add(next(others))
    # The same bytes, times and all, came to both; on a busy machine each may miss others.
    assert len(first & second) >= 5
    shown = json.loads(request(live, "/video/status")[2])["frames"]
    assert shown["shown"] <= shown["read"]


def test_a_page_gets_a_picture_for_each_question_and_never_an_old_one(live: int) -> None:
    with Socket(live, "/video/live", origin=f"http://127.0.0.1:{live}") as page:
        numbers = []
        for _ in range(4):
            page.send("next")
            about, data = page.picture()
            assert data.startswith(b"\xff\xd8")
            numbers.append(about["frame"])
            time.sleep(0.2)
        assert about["error"] == ""
        assert about["caption"].startswith("class 0: 9")
        assert 0.5 < about["confidence"] <= 1
    # Five frames go by in 0.2 s: those between were not sent.
    assert (np.diff(numbers) >= 3).all()


def test_the_page_loads_nothing_from_elsewhere_and_has_no_other_files(live: int) -> None:
    for path in ("/", "/video"):
        status, headers, body = request(live, path)
        assert status == 200
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert b"http:" not in body
        assert b"https:" not in body
    for name in ("video.js", "pictures.js", "figures.js", "camera.js", "video.css", "icon.svg"):
        assert request(live, f"/video/files/{name}")[0] == 200
    for path in (
        "/video/files/../../way.py",
        "/video/files/..%2f..%2fway.py",
        "/video/files/%2e%2e/%2e%2e/__init__.py",
        "/video/files//etc/passwd",
        "/video/files/",
        "/video/files/index.html",
        "/video/camera",
        "/video_feed/x",
    ):
        assert request(live, path)[0] == 404, path


def test_pages_of_other_sites_see_nothing(live: int) -> None:
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{live + 1}"):
        with Socket(live, "/video/live", origin=origin) as page:
            assert page.status == 403
        assert request(live, "/video_feed", origin=origin)[0] == 403
        assert request(live, "/video/status", origin=origin)[0] == 403
    # A name of a foreign site that is made to lead to this machine.
    assert request(live, "/video/status", host="rebound.example")[0] == 403


def test_figures_are_told_as_json(live: int, street: Path) -> None:
    next(pictures(live))
    status = json.loads(request(live, "/video/status")[2])
    assert status["source"]["address"] == street.name
    assert str(street.parent) not in json.dumps(status)
    assert status["source"]["status"] == "playing"
    assert (status["task"], status["browser"]) == ("segmentation", False)
    assert {"decode", "prepare", "network", "answer", "overlay", "encode", "display"} <= status["milliseconds"].keys()
    assert any("preprocessing" in line for line in status["told"])


def test_without_viewers_no_network_runs(live: int) -> None:
    def shown() -> int:
        return int(json.loads(request(live, "/video/status")[2])["frames"]["shown"])

    next(pictures(live))
    before = shown()
    while shown() != before:
        before = shown()
        time.sleep(0.2)
    time.sleep(0.2)
    # One may have been under way.
    assert shown() <= before + 1
    next(pictures(live))
    assert shown() > before


def test_a_viewer_after_a_pause_sees_a_picture_that_was_made_for_it(live: int) -> None:
    """By its number: no frame that was read before it came."""
    with Socket(live, "/video/live") as page:
        page.send("next")
        seen = page.picture()[0]["frame"]
    while (status := json.loads(request(live, "/video/status")[2]))["viewers"]:
        time.sleep(0.02)
    while (status := json.loads(request(live, "/video/status")[2]))["frames"]["read"] < seen + 20:
        time.sleep(0.02)
    with Socket(live, "/video/live") as page:
        page.send("next")
        assert page.picture()[0]["frame"] >= status["frames"]["read"] - 1


def test_who_comes_after_the_end_sees_the_last_picture(bright_net: Path, street: Path) -> None:
    with served(bright_net, source=str(street), end="stop") as (port, _, video):
        for _ in range(2):
            while video.status()["source"]["status"] != "ended":
                time.sleep(0.02)
            with Socket(port, "/video/live") as page:
                page.send("next")
                assert page.picture()[0]["frame"] == FRAMES - 1


def test_every_frame_is_recorded_with_its_time_and_kept(bright_net: Path, street: Path, tmp_path: Path) -> None:
    import av

    record, keep = tmp_path / "new" / "out.mp4", tmp_path / "keep"
    settings = {"source": str(street), "rate": "max", "record": record, "keep": str(keep), "keep_rules": "every:1ms"}
    with served(bright_net, **settings) as (_, _, video):
        while video.status()["source"]["status"] != "ended" or video.status()["frames"]["shown"] < FRAMES:
            time.sleep(0.02)
        assert video.status()["frames"]["dropped"] == 0
    with av.open(str(record)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == FRAMES
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(FRAMES) / 25, atol=1e-3)
    image = frames[3].to_ndarray(format="rgb24").astype(int)
    assert np.abs(image[IN_SQUARE] - MIXED).max() < 12
    lines = [msgspec.json.decode(line) for line in (keep / "frames.jsonl").read_bytes().splitlines()]
    assert 1 <= len(lines) <= FRAMES
    assert all((keep / line["file"]).is_file() and (keep / line["mask"]).is_file() for line in lines)


def test_a_stop_lets_viewers_go_at_once_and_closes_the_recording(
    bright_net: Path, street: Path, tmp_path: Path
) -> None:
    import av

    record = tmp_path / "out.mkv"
    settings = {"source": str(street), "record": record, "end": "loop"}
    with served(bright_net, **settings) as (port, server, _), Socket(port, "/video/live") as page:
        page.send("next")
        page.picture()
        watching = pictures(port)
        next(watching)
        begun = time.monotonic()
        server.stop(deadline=60)
        # Not the deadline, which an endless stream would have used up.
        assert time.monotonic() - begun < 30
        # Going away, by us or by the HTTP server.
        assert page.receive() in (GONE, 1012)
    with av.open(str(record)) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 1


def test_a_visitors_camera_is_answered_picture_by_picture(bright_net: Path) -> None:
    with served(bright_net, source="browser") as (port, _, video):
        assert request(port, "/video_feed")[0] == 404
        assert json.loads(request(port, "/video/status")[2])["browser"] is True
        with Socket(port, "/video/camera", origin="http://evil.example") as foreign:
            assert foreign.status == 403
        with Socket(port, "/video/camera", origin=f"http://127.0.0.1:{port}") as page:
            for number, (size, enlarged) in enumerate([((160, 120), 1), ((64, 200), 4), ((160, 120), 1)]):
                page.send(jpeg(number, *size))
                about, data = page.picture()
                assert about["frame"] == number
                assert pixels_of(data).shape == (enlarged * size[1], enlarged * size[0], 3)
            for bad, words in ((b"no jpeg", "is no JPEG"), (bytes(MOST_BYTES + 1), "at most")):
                page.send(bad)
                answer = page.receive()
                assert isinstance(answer, str)
                assert words in json.loads(answer)["error"]
            page.send(jpeg(5))
            assert page.picture()[0]["error"] == ""
            sockets = [Socket(port, "/video/camera") for _ in range(MOST)]
            # One more than there is room for is told so, and the others are answered.
            assert sockets[-1].receive() == 1013
            page.send(jpeg(6))
            page.picture()
            for other in sockets:
                other.__exit__(None, None, None)
        while video.status()["viewers"]:
            time.sleep(0.01)


def test_a_network_that_answers_nonsense_is_told_in_the_picture(tmp_path: Path, street: Path) -> None:
    """NaN weights: the scores have no order, and the video goes on."""
    weights = np.full((4, 100), np.nan, np.float32)
    net = networks.linear_tflite(tmp_path / "nan.tflite", weights, np.zeros(4, np.float32))
    with served(net, source=str(street)) as (port, _, _), Socket(port, "/video/live") as page:
        for _ in range(2):
            page.send("next")
            about, data = page.picture()
            assert "NaN" in about["error"]
            assert pixels_of(data).shape == (120, 160, 3)


def test_settings_that_mean_nothing_are_refused_before_anything_starts(tmp_path: Path, street: Path) -> None:
    existing = tmp_path / "out.mp4"
    existing.write_text("mine")
    for settings, words in (
        ({"source": "browser", "record": tmp_path / "x.mp4"}, "visitors' cameras are several"),
        ({"source": str(street), "keep": "s3://bucket"}, "not yet at s3://"),
        ({"source": str(street), "keep_rules": "sometimes"}, "sometimes"),
        ({"source": str(street), "keep_most": "much"}, "no size"),
    ):
        with pytest.raises(UsageError, match=words):
            Video(VideoSettings(**settings))  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="not there"):
        Video(VideoSettings(source=str(tmp_path / "none.mp4")))


@pytest.mark.parametrize(("name", "words"), [("out.mp4", "is there already"), ("out.gif", "ends in .mp4")])
def test_recordings_overwrite_nothing(bright_net: Path, street: Path, tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "out.mp4").write_text("mine")
    with pytest.raises(UsageError, match=words), served(bright_net, source=str(street), record=tmp_path / name):
        pass
    assert (tmp_path / "out.mp4").read_text() == "mine"


def test_a_network_that_takes_no_image_is_refused(tmp_path: Path, street: Path) -> None:
    net = networks.dense_tflite(tmp_path / "dense.tflite")
    with pytest.raises(UsageError, match="no image in grey or RGB"), served(net, source=str(street)):
        pass
