"""Pictures of videos and cameras in versions of a dataset."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.serve.video.conftest import marked, write_video

from edgerig.errors import SourceError, StoreError
from edgerig.progress import Progress
from edgerig.serve.video.capture.choosing import Choice, chosen_frames, difference, miniature
from edgerig.serve.video.capture.run import capture
from edgerig.serve.video.sources import source_of
from edgerig.serve.video.sources.base import Picture, VideoSource
from edgerig.store import Versions, open_store


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGERIG_STATE", str(tmp_path / "state"))


@pytest.fixture
def inbox(tmp_path: Path) -> Versions:
    return Versions(open_store(str(tmp_path / "store"), writing=True), "inbox")


def file(path: Path) -> VideoSource:
    source = source_of(str(path), every=True, again=False)
    assert source is not None
    return source


def test_a_video_gives_a_picture_at_each_distance_of_its_own_time(street: Path, inbox: Versions) -> None:
    captured = capture(file(street), inbox, Choice(every=0.4), Progress(), format="png", note="the first")
    assert (captured.pictures, captured.sent) == (4, 4)
    version = inbox.read()
    assert [entry.name for entry in version.entries] == [f"street/0000000{0.4 * n:.3f}.png" for n in range(4)]
    assert [entry.extra["frame"] for entry in version.entries] == ["0", "10", "20", "30"]
    assert {entry.extra["camera"] for entry in version.entries} == {str(street)}
    assert all("time" not in entry.extra for entry in version.entries), "a file does not say when it was"
    assert version.note == "the first"
    for entry in version.entries:
        pixels = np.asarray(Image.open(io.BytesIO(inbox.store.objects.get(entry.sha256))))
        expected = marked(int(entry.extra["frame"]))
        assert np.abs(pixels.astype(int) - expected).mean() < 2, "its own frame"
    assert capture(file(street), inbox, Choice(every=0.4), Progress(), format="png").added.new is False


def test_pictures_that_did_not_change_are_left_out(street: Path, tmp_path: Path, inbox: Versions) -> None:
    dark, light = (np.full((48, 64, 3), value, np.uint8) for value in (40, 60))
    write_video(tmp_path / "still.mp4", [*[dark] * 30, *[light] * 30])
    captured = capture(file(tmp_path / "still.mp4"), inbox, Choice(every=0.1, when_changed=True), Progress())
    assert captured.pictures == 2
    assert [entry.extra["frame"] for entry in inbox.read().entries] == ["0", "30"]


def test_a_miniature_is_the_mean_of_equal_parts() -> None:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:32, :, 0] = 255
    look = miniature(frame)
    assert look.shape == (32, 32)
    np.testing.assert_allclose(look[:16], 1 / 3, rtol=1e-6)
    assert (look[16:] == 0).all()
    assert difference(look, np.zeros_like(look)) == pytest.approx(1 / 6)
    assert miniature(np.full((5, 7, 3), 51, np.uint8)) == pytest.approx(np.full((32, 32), 0.2))


class Flaky(VideoSource):
    """A live source that is not there, plays two frames, is lost, and plays again."""

    def __init__(self) -> None:
        super().__init__("rtsp://me:hush@flaky/live")
        self.tries = 0

    def pictures(self, stop: threading.Event) -> Iterator[Picture]:
        self.tries += 1
        if self.tries in (1, 3):
            raise SourceError(f"{self.shown} does not answer.")
        for number in range(2):
            yield Picture(None, lambda number=number: np.full((8, 8, 3), 40 * number, np.uint8))


def test_a_live_source_that_is_lost_is_opened_again(inbox: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerig.serve.video.capture.choosing.RETRY", 0.01)
    reasons: list[str] = []
    chosen = list(chosen_frames(Flaky(), Choice(every=1e-4, most=4), threading.Event(), reasons.append))
    assert [each.frame for each in chosen] == [0, 1, 2, 3]
    assert all(each.time is not None and each.time.endswith("+00:00") for each in chosen)
    gone = "rtsp://flaky/live does not answer."
    assert reasons == [gone, "rtsp://flaky/live has ended.", gone]
    capture(Flaky(), inbox, Choice(every=1e-4, most=2), Progress())
    entries = inbox.read().entries
    assert all("hush" not in str(entry) for entry in entries)
    assert all(entry.name.startswith("flaky-live/2") and entry.extra["time"] for entry in entries)


def test_pictures_wait_while_the_store_is_away(street: Path, inbox: Versions, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "away")
    (tmp_path / "store").write_bytes(b"no folder")
    with pytest.raises(StoreError, match=r"4 pictures wait in .*, and go with the next capture"):
        capture(file(street), inbox, Choice(every=0.4), Progress())
    (tmp_path / "store").unlink()
    (tmp_path / "away").rename(tmp_path / "store")
    # What waits is no cache: to clear that loses nothing.
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    captured = capture(file(street), inbox, Choice(every=0.4, most=1), Progress())
    assert (captured.pictures, captured.sent) == (1, 4)
    assert inbox.read().header.count == 4
    assert not list((tmp_path / "state" / "capture").rglob("*.jpg*"))


def test_what_a_power_failure_left_half_written_is_no_picture(street: Path, inbox: Versions) -> None:
    from edgerig.serve.video.capture.spool import Spool

    spool = Spool(inbox.identity, str(street))
    (spool.folder / ".half.jpg.json.0.tmp.json").write_bytes(b'{"name":"x.jpg","extra":{}}')
    (spool.folder / "alone.jpg.json").write_bytes(b'{"name":"y.jpg","extra":{}}')
    (spool.folder / "broken.jpg.json").write_bytes(b'{"name"')
    (spool.folder / "broken.jpg").write_bytes(b"")
    assert spool.waiting() == []
    assert capture(file(street), inbox, Choice(every=0.8), Progress()).sent == 2


_CAPTURE = "import sys; from edgerig.cli import main; main(sys.argv[1:])"


@pytest.mark.slow
def test_ctrl_c_sends_what_is_there(street: Path, inbox: Versions, tmp_path: Path) -> None:
    """A long video, so that there is always more to come."""
    frames = [np.full((240, 320, 3), number % 200, np.uint8) for number in range(400)]
    write_video(tmp_path / "long.mp4", frames)
    call = ["data", "capture", str(tmp_path / "long.mp4"), "--every", "1ms", "--picture-format", "png"]
    process = subprocess.Popen(
        [sys.executable, "-c", _CAPTURE, *call, "--to", inbox.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    spool = tmp_path / "state" / "capture"
    while process.poll() is None and len(list(spool.rglob("[!.]*.json"))) < 10:
        threading.Event().wait(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "pictures of" in out
    assert 10 <= inbox.read().header.count < 400
    assert not list(spool.rglob("*.json"))
