"""What another interpreter gets of this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgerig.environments.source import module_path, own_folders, source_folder


def test_it_finds_edgerig_and_its_plugins_and_none_of_our_packages(bare_environment: Path) -> None:
    code = (
        "import sys, edgerig.agent.worker\n"
        "from edgerig import plugins\n"
        "from edgerig.runtimes.base import Runtime\n"
        "print(plugins.find('runtime', 'litert', Runtime).name, edgerig.__file__)\n"
        "import importlib.util\n"
        "print([n for n in ('jax', 'click', 'pytest', 'ai_edge_litert') if importlib.util.find_spec(n)])"
    )
    environment = {**os.environ, "PYTHONPATH": module_path()}
    command = [str(bare_environment / "bin" / "python"), "-P", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("litert ")
    assert second == "[]"


def test_modules_of_the_users_go_along_and_installed_packages_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "gone")
    folders = [*own_folders()]
    assert tmp_path in folders
    assert tmp_path / "gone" not in folders
    assert not any(folder.name in ("site-packages", "lib-dynload") for folder in folders)
    standard = Path(os.__file__).parent
    assert any(Path(entry) == standard for entry in sys.path)
    assert standard not in folders


def test_the_folder_is_made_once_and_again_where_it_leads_nowhere() -> None:
    folder = source_folder()
    made = folder.stat().st_ino
    assert source_folder().stat().st_ino == made
    (folder / "edgerig").unlink()
    (folder / "edgerig").symlink_to("/nowhere")
    assert (source_folder() / "edgerig" / "__init__.py").is_file()
    assert not [*folder.parent.glob(".*.tmp")]
