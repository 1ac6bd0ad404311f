"""A workflow whose datasets and results are in object storage with keys that are checked, from the command line.

No secret is in what it leaves behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.needs import need_module
from tests.pictures import row_of
from tests.store.servers import Server, moto_server

pytestmark = pytest.mark.slow

WORKFLOW = """
name: shared
steps:
  import:
    run: data import folder ${inputs.pictures} --to ${outputs.data}
    inputs: {pictures: pictures}
    outputs: {data: {store: "s3://lab/data/street"}}
  label-check:
    run: data check ${inputs.data} --against ${inputs.data} --out drift.html
    inputs: {data: import.data}
    outputs: {page: drift.html}
  get:
    run: data get ${inputs.data} --to files
    inputs: {data: import.data}
    outputs: {files: files}
    after: label-check
"""


def states(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {row["step"]: row["state"] for row in json.loads(done.stdout)}


def workflow(machine: Path, *arguments: str, credentials: str = "creds.json:it") -> subprocess.CompletedProcess[str]:
    """``edgerig workflow run`` on a machine, which has a cache and a home of its own; keys are in a file alone."""
    machine.mkdir(exist_ok=True)
    own = {"EDGERIG_CACHE": "cache", "HOME": "home", "TMPDIR": "tmp", "EDGERIG_STATE": "state"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "EDGERIG_"))}
    for folder in own.values():
        (machine / folder).mkdir(exist_ok=True)
    call = [sys.executable, "-m", "edgerig", "workflow", "run", "../w.yaml", "--store", "s3://lab/results"]
    call += ["--credentials", credentials, "--out", "out", "--json", "-vv", "--log-file", "log.txt", *arguments]
    environment |= {name: str(machine / folder) for name, folder in own.items()}
    return subprocess.run(call, cwd=machine, env=environment, capture_output=True, text=True, timeout=300, check=False)


def credentials(machine: Path, server: Server, secret: str) -> None:
    machine.mkdir(exist_ok=True)
    row = {"name": "it", "address": server.endpoint, "access key": server.access, "secret key": secret, "tls": False}
    (machine / "creds.json").write_text(json.dumps({"s3": [row]}))
    (machine / "creds.json").chmod(0o600)


def assert_nowhere(secret: str, folder: Path, *texts: str) -> None:
    assert not any(secret in text for text in texts)
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "creds.json":
            assert secret.encode() not in path.read_bytes(), path


def test_machines_share_results_in_object_storage_and_leave_no_secret_behind(tmp_path: Path) -> None:
    need_module("obstore", "store")
    need_module("moto", "dev")
    for number in range(6):
        (tmp_path / "pictures" / str(number % 2)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "pictures" / str(number % 2) / f"{number}.png").write_bytes(row_of(b"%d" % number))
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    with moto_server() as server:
        for name in ("a", "b"):
            credentials(tmp_path / name, server, server.secret)
        credentials(tmp_path / "c", server, "another-secret-of-this-test")
        first = workflow(tmp_path / "a", "--only", "import", "--only", "label-check")
        assert states(first) == {"import": "run", "label-check": "run"}, first.stderr
        second = workflow(tmp_path / "b", "--only", "get")
        assert states(second) == {"get": "run"}, second.stderr
        assert len(list((tmp_path / "b" / "out" / "get" / "files").rglob("*.png"))) == 6
        again = workflow(tmp_path / "a")
        assert states(again) == {"import": "unchanged", "label-check": "unchanged", "get": "unchanged"}, again.stderr
        wrong = workflow(tmp_path / "c")
        assert wrong.returncode == 1
        assert "SignatureDoesNotMatch" in wrong.stderr
        said = [text for done in (first, second, again, wrong) for text in (done.stdout, done.stderr)]
        for secret in (server.secret, "another-secret-of-this-test"):
            assert_nowhere(secret, tmp_path, *said)
        assert (tmp_path / "a" / "log.txt").stat().st_size > 0
