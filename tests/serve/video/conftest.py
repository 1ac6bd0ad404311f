"""Videos that the tests make, and senders of video as processes."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need_module
from tests.serve.video.senders import HEIGHT, WIDTH, picture

from edgerig.serve import Server
from edgerig.serve.video.settings import VideoSettings
from edgerig.serve.video.way import Video
from edgerig.testing import networks

FRAMES, RATE = 40, 25
Sender = Callable[[], subprocess.Popen[str]]


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 40 frames at 25 Hz, numbered by their brightness, with a white square in the left half."""
    need_module("av", "av")
    path = tmp_path_factory.mktemp("video") / "street.mp4"
    write_video(path, [marked(number) for number in range(FRAMES)])
    return path


def marked(number: int) -> np.ndarray:
    frame = picture(number)
    frame[40:80, 20:60] = 255
    return frame


def write_video(path: Path, frames: list[np.ndarray], rate: int = RATE) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "qp": "10"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def sender(request: pytest.FixtureRequest) -> Iterator[tuple[str, Sender]]:
    """The address of a sender of the kind that the test names, and what starts it; all are ended after the test."""
    need_module("av", "av")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    processes = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, str(Path(__file__).parent / "senders.py"), request.param, str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    scheme = {"mjpeg": "http", "rtsp": "rtsp"}[request.param]
    yield f"{scheme}://127.0.0.1:{port}/live", start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


SIZE = (HEIGHT, WIDTH, 3)


@pytest.fixture(scope="session")
def bright_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose class map is 1 where a frame is nearly white."""
    return networks.bright_pixels_tflite(tmp_path_factory.mktemp("net") / "bright.tflite", 60, 80)


@contextmanager
def served(net: Path, **settings: Any) -> Iterator[tuple[int, Server, Video]]:
    """The port of a server with a video, the server, and its way in."""
    need_module("wsproto", "wsproto")
    video = Video(VideoSettings(**settings))
    with Server(net, listen="127.0.0.1:0", sessions=1, ways=[video]) as server:
        yield server.address.port, server, video


@pytest.fixture(scope="module")
def live(bright_net: Path, street: Path) -> Iterator[int]:
    """The port of a server that shows the street again and again."""
    with served(bright_net, source=str(street)) as (port, _, _):
        yield port
