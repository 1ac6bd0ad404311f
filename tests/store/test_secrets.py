"""A secret is in nothing that a command leaves behind: no output, log, file or store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.pictures import row_of
from tests.store.servers import Server

WRONG = "a-secret-key-that-is-wrong-0123456789"


def edgerig(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder whose temporary files and cache lie there, too; it says all that it can."""
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "EDGERIG_CACHE": str(folder / "cache"), **variables}
    call = [sys.executable, "-m", "edgerig", "--debug", *arguments, "-vv", "--log-file", str(folder / "log.txt")]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)


def assert_nowhere(secret: str, folder: Path, *texts: str, besides: tuple[str, ...] = ()) -> None:
    for text in texts:
        assert secret not in text
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in besides:
            assert secret.encode() not in path.read_bytes(), path


@pytest.mark.slow
@pytest.mark.parametrize("way", ["file", "environment", "profile"])
def test_a_secret_is_nowhere_whether_keys_are_right_or_wrong(server: Server, tmp_path: Path, way: str) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "photos" / "car").mkdir(parents=True)
    (tmp_path / "photos" / "car" / "1.png").write_bytes(row_of(b"picture"))
    for secret, bucket, code in ((server.secret, "lab", 0), (WRONG, "lab", 1), (server.secret, "no-such-bucket", 1)):
        variables: dict[str, str] = {}
        if way == "file":
            row = {"name": "it", "address": server.endpoint, "access key": server.access, "secret key": secret}
            (tmp_path / "creds.json").write_text(json.dumps({"s3": [{**row, "tls": False}]}))
            variables = {"EDGERIG_CREDENTIALS": "creds.json:it"}
        elif way == "environment":
            variables = {**server.environment, "AWS_SECRET_ACCESS_KEY": secret}
        else:
            profile = f"[default]\naws_access_key_id={server.access}\naws_secret_access_key={secret}\n"
            (tmp_path / "creds.json").write_text(profile)
            variables = {
                "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "creds.json"),
                "AWS_ENDPOINT_URL": server.endpoint,
            }
        done = edgerig(tmp_path, "data", "import", "photos", "--to", f"s3://{bucket}/secrets-{way}/street", **variables)
        assert done.returncode == code, done.stderr
        assert (tmp_path / "log.txt").stat().st_size > 0
        assert_nowhere(secret, tmp_path, done.stdout, done.stderr, besides=("creds.json",))
