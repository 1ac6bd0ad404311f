"""Connections of digits that are looked after in C, with a compiler's watch over its memory."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.needs import need
from tests.serve.ways.test_digits import check, connect, digit, receive

from edgerig.wire.digits import REPLY_SIZE, STATS_REQUEST, encode_inference_request

#: A server whose C has sanitizers, and few descriptors; its sessions have neither.
SANITIZED = """
import os, resource, sys
del os.environ["LD_PRELOAD"]
from edgerig.runtimes import c_library
from edgerig.serve import Server
from edgerig.serve.ways import digits_library
from edgerig.serve.ways.digits import Digits

built = c_library.run_c_compiler
flags = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
c_library.run_c_compiler = lambda words, *more: built([*words, *flags], *more)
c_library.library_key = lambda *_: None
way = Digits("127.0.0.1:0")
fragile = "tests.serve.fragile:Fragile"
with Server(sys.argv[1], listen=None, ways=[way], sessions=2, runtime=fragile, queue=40) as server:
    assert way.looked_after_in == "C"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(server.addresses["digits"].port, flush=True)
    for line in sys.stdin:
        used = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20 if line == "few\\n" else soft, hard))
        print("done", flush=True)
print("ended", flush=True)
"""


@pytest.fixture
def sanitized(digit_net: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    need("cc")
    libraries = [
        subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = {**os.environ, "LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": "detect_leaks=0"}
    script = tmp_path / "server.py"
    script.write_text(SANITIZED)
    with subprocess.Popen(
        [sys.executable, script, digit_net],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "errors").open("w"),
        text=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
    ) as process:
        yield process
        process.kill()


@pytest.mark.slow
def test_changed_requests_lost_sessions_and_few_descriptors_upset_no_sanitizer(
    sanitized: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert sanitized.stdin is not None
    assert sanitized.stdout is not None
    server: Any = SimpleNamespace(addresses={"digits": SimpleNamespace(port=int(sanitized.stdout.readline()))})
    luck = random.Random(9)

    def talk(count: int) -> None:
        for seed in range(count):
            requests = [encode_inference_request(digit(seed, luck.choice([None, None, 777.0]))), STATS_REQUEST]
            stream = bytearray(b"".join(luck.choice(requests) for _ in range(luck.randrange(1, 12))))
            for _ in range(luck.randrange(4)):
                stream[luck.randrange(len(stream))] = luck.choice((0, 1, 4, 8, 12, 127, 255))
            client = connect(server)
            client.settimeout(60)
            step = luck.choice((1, 7, 3180, 4096, 1 << 20)) if len(stream) < 4000 else 4096
            for first in range(0, len(stream) if luck.random() < 0.7 else len(stream) // 2, step):
                try:
                    client.sendall(stream[first : first + step])
                except OSError:
                    break
            if luck.random() < 0.7:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_WR)
                receive(client, 1 << 16)
            client.close()

    talk(200)
    with connect(server) as client:
        client.sendall(encode_inference_request(digit(1, 666.0)))
        assert receive(client, 1) == b""
    sanitized.stdin.write("few\n")
    sanitized.stdin.flush()
    assert sanitized.stdout.readline() == "done\n"
    clients = [connect(server) for _ in range(60)]
    last = connect(server)
    last.sendall(encode_inference_request(digit(3)))
    for client in clients:
        client.close()
    check(receive(last, REPLY_SIZE), digit(3))
    last.close()
    sanitized.stdin.write("many\n")
    sanitized.stdin.flush()
    assert sanitized.stdout.readline() == "done\n"
    talk(100)
    with connect(server) as client:
        client.sendall(encode_inference_request(digit(4)))
        check(receive(client, REPLY_SIZE), digit(4))
    sanitized.stdin.close()
    assert sanitized.stdout.readline() == "ended\n"
    assert sanitized.wait(60) == 0, (tmp_path / "errors").read_text()[-3000:]
    assert "Sanitizer" not in (tmp_path / "errors").read_text()
