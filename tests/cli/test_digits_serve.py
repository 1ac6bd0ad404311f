"""``edgerig digits serve`` as a process: its ports, its page, its end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from edgerig.cli import main
from edgerig.testing import networks
from edgerig.wire.digits import FbComm


def test_settings_of_the_runtime_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = networks.dense_tflite_int8(tmp_path / "net.tflite", 784, 10)
    with pytest.raises(SystemExit) as ended:
        main(["digits", "serve", "--model", str(net), "--listen", "127.0.0.1:0", "--runtime-option", "thread=2"])
    assert ended.value.code == 2
    assert "Did you mean 'threads'?" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("where", [("--sessions", "1"), ("--in-process",)])
def test_it_answers_digits_has_a_page_beside_them_and_ends_cleanly(where: tuple[str, ...], tmp_path: Path) -> None:
    net = networks.dense_tflite_int8(tmp_path / "net.tflite", 784, 10)
    command = [sys.executable, "-m", "edgerig", "digits", "serve", "--model", str(net), *where]
    ports = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    with subprocess.Popen([*command, *ports], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        by_name = {
            name: port for port, name in re.findall(r"listening on 127\.0\.0\.1:(\d+) \((\w+)\)", "".join(lines))
        }
        assert set(by_name) == {"digits", "http"}
        base = f"http://127.0.0.1:{by_name['http']}"
        with urllib.request.urlopen(f"{base}/", timeout=30) as page:
            assert "<title>Draw a digit" in page.read().decode()
        with urllib.request.urlopen(f"{base}/v2/models/net", timeout=30) as answer:
            assert json.load(answer)["inputs"][0]["shape"] == [-1, 784]
        with FbComm(ip="127.0.0.1", port=int(by_name["digits"])) as client:
            reply = client.reqInference(np.zeros(784, np.float32))
        assert len(reply.outputs) == 10
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert f"the network: net, {base}/v2/models/net\n" in said
    assert said.splitlines()[-1].endswith("server stopped")
