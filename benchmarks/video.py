"""What showing a network's answers takes of a 640x480 frame beside the network's own time, stage by stage.

    python benchmarks/video.py [--seconds S] [--cpu | --in-process] [--json]

A file of 25 frames a second is served as `edgerig serve --video` serves it, with a viewer who reads every picture over
a WebSocket. Of each network there is the median of each stage over the last frames, and our own time: preparing the
input, the way through the pool of sessions, decoding the answer, drawing, JPEG; the video's decoder stands apart. The
peer of the same run is what any server of MJPEG has to do with such a frame: Pillow's JPEG of it. How many frames a
picture is behind is counted as the viewer has it: by how many the newest frame of the source is ahead then; the goal is
that of 99 % of the pictures. On a machine with other work, waiting for a core is part of all of this; ``--cpu`` tells
what hardly depends on that, the processor time of each stage, one after the other: medians, of the way through the pool
the server's and the network's process together, less the inference.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, RATE = 640, 480, 25
#: Our own time of a frame at most, in ms, and how many frames a picture may be behind.
GOAL, BEHIND = 5.0, 1
#: Frames of which processor times are taken.
FRAMES = 200
STAGES = ("decode", "prepare", "queue", "network", "transport", "answer", "overlay", "encode")


def write_video(path: Path) -> None:
    """Two seconds of coloured noise, smooth as a photograph is, that moves."""
    import av
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    large = Image.fromarray(rng.integers(0, 256, (48, 80, 3), np.uint8)).resize(
        (2 * WIDTH, HEIGHT), Image.Resampling.BICUBIC
    )
    scene = np.asarray(large)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(2 * RATE):
            frame = np.ascontiguousarray(scene[:, 4 * number : 4 * number + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())


def plain_jpeg(path: Path, count: int = 100) -> float:
    """Median ms of Pillow's JPEG, of quality 80, of a frame."""
    import av
    from PIL import Image

    with av.open(str(path)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24")
    times = []
    for _ in range(count):
        start = time.perf_counter()
        Image.fromarray(pixels).save(io.BytesIO(), "JPEG", quality=80)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def percentile(values: list[int], share: int) -> int:
    """The least value that ``share`` % of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, len(values) * share // 100)]


def networks_in(folder: Path) -> dict[str, Path]:
    """Networks of each task and of several sizes; what they compute takes next to nothing."""
    from edgerig.testing import networks

    return {
        "class, 28x28 grey": networks.dense_tflite(folder / "digits.tflite", (28, 28, 1), 10),
        "class, 224x224": networks.channel_means_tflite(folder / "means.tflite", (1, 3, 224, 224)),
        "mask, 96x128": networks.bright_pixels_tflite(folder / "small.tflite", 96, 128),
        "mask, 240x320": networks.bright_pixels_tflite(folder / "middle.tflite", 240, 320),
        "mask, 480x640": networks.bright_pixels_tflite(folder / "large.tflite", HEIGHT, WIDTH),
    }


def watch(video: Any, port: int, stop: threading.Event, behind: list[int]) -> None:
    """Read every picture, and count by how many frames it is behind."""
    import socket

    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, BytesMessage, Message, Request, TextMessage

    protocol = WSConnection(ConnectionType.CLIENT)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(protocol.send(Request(host=f"127.0.0.1:{port}", target="/video/live")))
        text = ""
        while not stop.is_set():
            protocol.receive_data(connection.recv(1 << 16))
            for event in protocol.events():
                if isinstance(event, TextMessage):
                    text += event.data
                ended = isinstance(event, BytesMessage) and event.message_finished
                if ended:
                    behind.append(video.newest - json.loads(text)["frame"])
                    text = ""
                if ended or isinstance(event, AcceptConnection):
                    connection.sendall(protocol.send(Message("next")))


def measure(net: Path, path: Path, seconds: float, in_process: bool = False) -> dict[str, Any]:
    """The medians of a network's stages, and how far behind its pictures were."""
    from edgerig.serve import Server
    from edgerig.serve.video.settings import VideoSettings
    from edgerig.serve.video.way import Video

    video = Video(VideoSettings(source=str(path)))
    behind: list[int] = []
    stop = threading.Event()
    with Server(net, listen="127.0.0.1:0", sessions=1, ways=[video], in_process=in_process) as server:
        viewer = threading.Thread(target=watch, args=[video, server.address.port, stop, behind], daemon=True)
        viewer.start()
        # The first frames find caches empty.
        time.sleep(1)
        before, used = video.status()["frames"]["shown"], time.process_time()
        time.sleep(seconds)
        status, used = video.status(), time.process_time() - used
        stop.set()
        viewer.join()
    times = status["milliseconds"]
    shown, dropped = status["frames"]["shown"] - before, status["frames"]["dropped"]
    return {**times, "cpu": 1e3 * used / shown, "frames": shown, "dropped": dropped, "behind": behind}


def processor(net: Path, path: Path) -> dict[str, float]:
    """Processor time of each stage of a frame in ms."""
    import av
    import psutil

    from edgerig.freed_memory import keep_freed_memory
    from edgerig.models.files import open_artifact
    from edgerig.serve import Server
    from edgerig.serve.video.overlay import jpeg_of
    from edgerig.serve.video.pipeline import NetworkView
    from edgerig.serve.video.settings import ViewSettings

    def median(work: Callable[[], object]) -> float:
        times = []
        for _ in range(FRAMES):
            start = time.thread_time()
            work()
            times.append(1e3 * (time.thread_time() - start))
        return statistics.median(times)

    keep_freed_memory(256 << 20)
    with av.open(str(path)) as container:
        pixels: Any = next(container.decode(video=0)).to_ndarray(format="rgb24")
    view = NetworkView(open_artifact(net), ViewSettings())
    inputs, at, lines = view.input(pixels), view.input.placement(HEIGHT, WIDTH), ["infer 1.0 ms  display 4.0 ms"]
    with Server(net, listen="127.0.0.1:0", sessions=1, ways=[]) as server:
        outputs = server.infer(inputs).outputs
        process = psutil.Process(server.pool.pids[0])
        before, network = sum(process.cpu_times()[:2]) + time.process_time(), 0.0
        for _ in range(FRAMES):
            network += server.infer(inputs).network_ns / 1e9
        transport = sum(process.cpu_times()[:2]) + time.process_time() - before - network
    answer = view.decoder(outputs, HEIGHT, WIDTH)
    image = view.overlay(pixels, answer, at, lines)
    stages = {
        "prepare": median(lambda: view.input(pixels)),
        "transport": 1e3 * transport / FRAMES,
        "answer": median(lambda: view.decoder(outputs, HEIGHT, WIDTH)),
        "overlay": median(lambda: view.overlay(pixels, answer, at, lines)),
        "encode": median(lambda: jpeg_of(image)),
    }
    return {**stages, "sum": sum(stages.values())}


def show_processor(rows: dict[str, dict[str, float]]) -> None:
    print(f"{'processor time, ms':20}" + "".join(f"{stage:>10}" for stage in next(iter(rows.values()))))
    for label, row in rows.items():
        print(f"{label:20}" + "".join(f"{value:10.2f}" for value in row.values()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="of each network")
    parser.add_argument("--cpu", action="store_true", help="processor time of each stage, instead")
    parser.add_argument("--in-process", action="store_true", help="the network in the server's own process")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder / "video.mp4")
        if options.cpu:
            used = {label: processor(net, folder / "video.mp4") for label, net in networks_in(folder).items()}
            print(json.dumps(used, indent=1)) if options.json else show_processor(used)
            return 0 if all(row["sum"] <= GOAL for row in used.values()) else 1
        peer = plain_jpeg(folder / "video.mp4")
        rows = {
            label: measure(net, folder / "video.mp4", options.seconds, options.in_process)
            for label, net in networks_in(folder).items()
        }
    for row in rows.values():
        behind = row.pop("behind")
        row["behind"], row["behind_most"] = percentile(behind, 99), max(behind)
    good = all(row["display"] <= GOAL and row["behind"] <= BEHIND for row in rows.values())
    if options.json:
        print(json.dumps({"jpeg": peer, "networks": rows, "goal": GOAL, "reached": good}, indent=1))
        return 0 if good else 1
    print(f"a frame of {WIDTH}x{HEIGHT}, medians in ms; Pillow's JPEG of it alone: {peer:.2f}")
    print(f"{'':20}" + "".join(f"{stage:>10}" for stage in (*STAGES, "our own", "CPU", "frames", "behind", "at most")))
    for label, row in rows.items():
        cells = "".join(f"{row[stage]:10.2f}" for stage in (*STAGES, "display", "cpu"))
        print(f"{label:20}{cells}{row['frames']:10}{row['behind']:10}{row['behind_most']:10}")
    print("CPU: of this process for a frame, its decoder, the server and the viewer's reading included")
    print(f"goal: our own at most {GOAL:g} ms, behind by at most {BEHIND}: {'reached' if good else 'missed'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
