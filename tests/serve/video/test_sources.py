"""Sources of frames: what they are told by, that they pace, end, loop and come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.serve.video.conftest import FRAMES, SIZE, Sender, write_video
from tests.serve.video.senders import SECONDS, jpeg, picture, shade

from edgerig.errors import SourceError, UsageError
from edgerig.serve.video.frame import MOST_PIXELS, Frame, NewestFrame, check_size
from edgerig.serve.video.reader import RETRY, Reader, SourceState
from edgerig.serve.video.settings import VideoSettings
from edgerig.serve.video.sources import source_of
from edgerig.serve.video.sources.base import OPENING, SILENCE, Picture, VideoSource
from edgerig.serve.video.sources.browser import MOST_BYTES, pixels_of
from edgerig.serve.video.way import Video


async def take(source: VideoSource, count: int, each: float = 0.0) -> tuple[list[np.ndarray], Reader]:
    """``count`` frames of a source, or all until it ends, a taker who needs ``each`` seconds for one."""
    slot = NewestFrame(asyncio.get_running_loop(), every=source.every)
    reader = Reader(source, slot)
    reader.start()
    frames = []
    try:
        async with asyncio.timeout(20):
            while len(frames) < count:
                frame = await slot.take()
                if frame is None:
                    break
                frames.append(frame.pixels())
                await asyncio.sleep(each)
        return frames, reader
    finally:
        reader.stop()


def shades(frames: list[np.ndarray]) -> list[int]:
    """The frames' numbers, by their brightness."""
    return [round(float(frame[100:].mean())) - shade(0) for frame in frames]


def test_a_file_gives_every_frame_where_that_is_asked_for(street: Path) -> None:
    source = source_of(str(street), every=True, again=False)
    assert source is not None
    frames, reader = asyncio.run(take(source, FRAMES + 10, each=0.001))
    assert [frame.shape for frame in frames] == [SIZE] * FRAMES
    assert np.abs(np.array(shades(frames)) - np.arange(FRAMES)).max() <= 1
    assert reader.slot.dropped == 0
    assert reader.state == SourceState("ended", f"{street} has ended.")


def test_a_file_begins_again_at_its_end(street: Path) -> None:
    source = source_of(f"file://{street}", every=True, again=True)
    assert source is not None
    frames, reader = asyncio.run(take(source, FRAMES + 5))
    assert np.abs(np.array(shades(frames)[FRAMES:]) - np.arange(5)).max() <= 1
    assert reader.state.reconnects == 0


def test_a_slow_taker_of_a_file_at_its_own_rate_gets_the_newest_and_the_rest_is_counted(street: Path) -> None:
    source = source_of(str(street), again=False)
    assert source is not None
    frames, reader = asyncio.run(take(source, FRAMES, each=5 * SECONDS))
    assert len(frames) < FRAMES / 2
    assert len(frames) + reader.slot.dropped == FRAMES
    assert (np.diff(shades(frames)) > 1).all()


@pytest.mark.parametrize("sender", ["mjpeg", "rtsp"], indirect=True)
@pytest.mark.slow
def test_a_live_source_that_is_killed_and_started_again_comes_back(sender: tuple[str, Sender]) -> None:
    address, start = sender

    async def watch() -> tuple[Reader, list[str], set[tuple[int, ...]]]:
        source = source_of(address)
        assert source is not None
        slot = NewestFrame(asyncio.get_running_loop())
        reader = Reader(source, slot)
        reader.start()
        seen = []
        try:
            async with asyncio.timeout(40):
                while reader.state.status != "lost":
                    await asyncio.sleep(0.01)
                seen.append(reader.state.message)
                process = start()
                first = await slot.take()
                assert first is not None
                process.kill()
                process.wait()
                while reader.state.status != "lost":
                    await asyncio.sleep(0.01)
                seen.append(reader.state.message)
                start()
                before = slot.newest
                while slot.newest == before:
                    await asyncio.sleep(0.01)
                sizes = set()
                while slot.newest < before + 35:
                    frame = await slot.take()
                    assert frame is not None
                    sizes.add(frame.pixels().shape)
            return reader, seen, sizes
        finally:
            reader.stop()

    reader, seen, sizes = asyncio.run(watch())
    assert "cannot be read: Connection refused" in seen[0]
    assert seen[1]
    assert reader.state.reconnects == 1
    wide = (SIZE[0], 2 * SIZE[1], 3)
    assert sizes == ({SIZE, wide} if address.startswith("http") else {SIZE})


def test_what_is_no_source_is_refused_by_name(tmp_path: Path) -> None:
    for address, words in {
        "ftp://host/x": "nothing is known of ftp://",
        "gopher://x": "nothing is known of gopher://",
    }.items():
        with pytest.raises(UsageError, match=words):
            source_of(address)
    with pytest.raises(SourceError, match="not there"):
        source_of(str(tmp_path / "none.mp4"))
    with pytest.raises(SourceError, match="a folder"):
        source_of(str(tmp_path))
    assert source_of("browser") is None


def failure(source: VideoSource | None) -> str:
    assert source is not None
    frames, reader = asyncio.run(take(source, 1))
    assert not frames
    assert reader.state.status == "ended"
    return reader.state.message


def test_files_that_are_no_video_say_so(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video " * 100)
    assert "is no video that can be read" in failure(source_of(str(text)))


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n",
        "ffconcat version 1.0\nfile http://127.0.0.1:9/x.mp4\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
    ],
)
def test_a_playlist_cannot_lead_to_the_network(tmp_path: Path, text: str) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text(text)
    assert "is a playlist" in failure(source_of(str(playlist)))


def test_whatever_happens_to_a_live_source_it_is_tried_again_within_five_seconds() -> None:
    # A source that falls silent is left after SILENCE; one that hangs while it is opened, after OPENING.
    assert max(SILENCE, OPENING) + RETRY < 5


def test_a_camera_that_is_not_there_is_named_and_waited_for() -> None:
    source = source_of("97")
    assert source is not None

    async def watch() -> SourceState:
        reader = Reader(source, NewestFrame(asyncio.get_running_loop()))
        reader.start()
        while reader.state.status == "opening":
            await asyncio.sleep(0.01)
        reader.stop()
        return reader.state

    state = asyncio.run(watch())
    assert state.status == "lost"
    assert "/dev/video97 is not there" in state.message


def test_the_slot_holds_the_newest_frame_and_ends_all_waiting() -> None:
    async def use() -> None:
        slot = NewestFrame(asyncio.get_running_loop())
        for number in range(3):
            slot.put(Frame(number, 0.0, None, lambda: picture(0)))
        taken = await slot.take()
        assert taken is not None
        assert (taken.number, slot.dropped, slot.newest) == (2, 2, 2)
        waiting = asyncio.create_task(slot.take())
        await asyncio.sleep(0)
        slot.close()
        assert await waiting is None
        assert await slot.take() is None

    asyncio.run(use())


def test_pictures_of_a_page_are_bounded() -> None:
    assert pixels_of(jpeg(3)).shape == SIZE
    for data, words in ((b"no jpeg", "is no JPEG"), (jpeg(3)[:200], "is no JPEG"), (bytes(MOST_BYTES + 1), "at most")):
        with pytest.raises(SourceError, match=words):
            pixels_of(data)
    with pytest.raises(SourceError, match="takes up to"):
        check_size(MOST_PIXELS, 2, "it")


def test_a_video_of_a_phone_is_shown_upright(tmp_path: Path) -> None:
    import av

    path, turned = tmp_path / "flat.mp4", tmp_path / "turned.mp4"
    frame = picture(0)
    frame[:, :80] = 200
    write_video(path, [frame])
    with av.open(str(path)) as source, av.open(str(turned), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90) if hasattr(stream, "set_display_rotation") else pytest.skip(
            "PyAV cannot say it"
        )
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    source = source_of(str(turned), every=True, again=False)
    assert source is not None
    frames, _ = asyncio.run(take(source, 1))
    assert frames[0].shape == (160, 120, 3)


class Gone(VideoSource):
    """A source that is back at the ``back``th try, and counts the seconds of the waits between them."""

    def __init__(self, back: int) -> None:
        self.address = self.shown = self.title = "gone"
        self.back, self.tries = back, 0

    def pictures(self, stop: threading.Event) -> Iterator[Picture]:
        self.tries += 1
        if self.tries != self.back:
            raise SourceError("gone does not answer.")
        yield Picture(None, lambda: np.zeros((2, 2, 3), np.uint8))
        stop.set()


def test_a_source_that_is_gone_is_tried_again_soon_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the moment of its return, it is opened within 5 s: one try that fails, the wait, and the next try."""
    waits: list[float] = []
    source = Gone(40)

    async def run() -> None:
        reader = Reader(source, NewestFrame(asyncio.get_running_loop()))
        monkeypatch.setattr(reader._stop, "wait", waits.append)
        await asyncio.to_thread(reader._run)
        assert reader.state.status == "playing"

    asyncio.run(run())
    assert source.tries == 40
    assert waits == [RETRY] * 39
    assert OPENING + RETRY + 1 <= 5


@pytest.mark.parametrize("content", [b"no video, but words", b"", b"\x00\x00\x00\x18ftypmp42" + bytes(40)])
def test_a_file_that_is_no_video_is_refused_before_it_is_served(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"notes\.mp4"):
        Video(VideoSettings(source=str(path)))
