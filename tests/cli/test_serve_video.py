"""``edgerig serve --video`` as it is called."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.needs import need_module

from edgerig.cli import main
from edgerig.testing import networks


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.bright_pixels_tflite(tmp_path_factory.mktemp("net") / "bright.tflite", 60, 80)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames of 64x48."""
    need_module("av", "av")
    import av
    import numpy as np

    path = tmp_path_factory.mktemp("video") / "street.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(0, 250, 25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.fresh_processes("Ctrl-C stops it")
@pytest.mark.slow
def test_the_command_shows_a_video_and_ctrl_c_closes_the_recording(net: Path, video: Path, tmp_path: Path) -> None:
    import av

    record = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "edgerig", "serve", str(net), "--video", str(video), "--listen", "127.0.0.1:0"]
    options = ["--record", str(record), "--video-end", "loop", "--sessions", "1"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            address = line.removeprefix("listening on ").split()[0]
            with urlopen(f"http://{address}/video_feed", timeout=30) as feed:
                assert feed.read(9) == b"--edgerig"
                assert b"Content-Type: image/jpeg" in feed.read(60)
            with urlopen(f"http://{address}/", timeout=30) as page:
                assert b"Live video" in page.read()
            with urlopen(f"http://{address}/v2/health/ready", timeout=30) as ready:
                assert ready.status == 200
            process.send_signal(signal.SIGINT)
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, log
    assert "Task: segmentation of 2 classes, from the outputs" in log
    assert "preprocessing" in log
    with av.open(str(record)) as container:
        assert {(frame.width, frame.height) for frame in container.decode(video=0)} == {(320, 240)}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--video", "none.mp4"], "none.mp4 is not there"),
        (["--video", "ftp://x"], "nothing is known of ftp://"),
        (["--record", "out.mp4"], "--record is for a video, and none is named"),
        (["--keep", "frames"], "--keep is for a video, and none is named"),
        (["--video-rate", "max"], "--video-rate is for a video, and none is named"),
        (["--labels", "none.txt"], "The labels none.txt cannot be read"),
        (["--video", "browser", "--keep-rule", "every:9s"], "--keep-rule is for stored frames, and no folder is named"),
        (["--video", "browser", "--keep", "s3://bucket"], "not yet at s3://"),
        (["--video", "browser", "--keep", "f", "--keep-rule", "sure:1"], "Unknown rule of --keep-rule: 'sure'"),
        (["--video", "browser", "--keep", "f", "--keep-max", "lots"], "--keep-max lots: that is no size"),
        (["--video", "browser", "--task", "regression"], "Unknown task for --video 'regression'"),
        (["--video", "browser", "--labels", "none.txt"], "The labels none.txt cannot be read"),
    ],
)
def test_mistakes_are_told_in_words(
    net: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["serve", str(net), "--listen", "127.0.0.1:0", *options])
    assert ended.value.code in (1, 2)
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "Traceback" not in said
