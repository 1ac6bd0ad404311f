"""What an agent and its sessions put on disk is for their user alone, whatever the umask."""

import os
import stat
from pathlib import Path

import pytest

from edgerig.agent.keys import make_keys
from edgerig.agent.lease import Leases
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.wire.ownership import Owner


@pytest.fixture(autouse=True)
def careless_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Files below ``folder``, and itself, that anybody but the owner may read or write."""
    return [
        str(path.relative_to(folder.parent))
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_mode & 0o077 and not stat.S_ISLNK(path.lstat().st_mode)
    ]


def test_all_files_of_an_agent_with_a_session(start_agent, tmp_path, faulty, x):
    folder = tmp_path / "state"
    agent = start_agent(folder=folder, runtimes=(faults.NAME,))
    target = target_for(str(agent.address))
    with target.open(faulty, faults.NAME, {}) as session:
        session.run(x)
        names = {path.name for path in folder.rglob("*")}
        assert {"leases.json", "agent.lock", "stderr"} <= names
        assert any(name.endswith(".tflite") for name in names)
        assert open_to_others(folder) == []
    target.close()
    assert open_to_others(folder) == []


def test_files_of_a_local_session(tmp_path, monkeypatch, faulty, x):
    temporary = tmp_path / "tmp"
    temporary.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    target = target_for("local")
    with target.open(faulty, faults.NAME, {}) as session:
        session.run(x)
        assert {"stderr"} <= {path.name for path in temporary.rglob("*")}
        assert open_to_others(temporary) == []
    target.close()


def test_leases_that_an_older_version_left_open_are_closed(tmp_path):
    Leases(folder=tmp_path).claim(Owner("x" * 32, "ann"), "peer")
    file = tmp_path / "leases.json"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    Leases(folder=tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600


def test_folder_with_other_things_in_it_keeps_its_permissions(start_agent, tmp_path):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    (folder / "photo.jpg").write_bytes(b"")
    start_agent(folder=folder)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "agent.lock").stat().st_mode & 0o777 == 0o600


def test_keys_are_for_their_owner_alone(tmp_path):
    make_keys(tmp_path / "lab", ["localhost"], ["desk"])
    for key in (tmp_path / "lab").rglob("key.pem"):
        assert key.stat().st_mode & 0o777 == 0o600
        assert key.parent.stat().st_mode & 0o777 == 0o700
