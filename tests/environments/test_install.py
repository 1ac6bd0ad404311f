"""Environments of engines: made as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.environments_made import made_environment
from tests.heard import Heard

from edgerig.environments import catalogue
from edgerig.environments.install import check, install, installs_elsewhere, remove
from edgerig.environments.interpreter import probe
from edgerig.environments.pip import importing
from edgerig.errors import EngineError, StorageError, UnknownNameError, UsageError
from edgerig.files import write_json


def entries(folder: Path) -> set[str]:
    return {item.name for item in folder.iterdir()} - {".serial.lock", "source"}


@pytest.mark.parametrize(
    ("pip", "elsewhere"),
    [("25.0rc1", True), ("22.10", True), ("22.3", True), ("22.2.2", False), ("9.0.1", False), (None, False)],
)
def test_which_pip_installs_elsewhere_goes_by_the_numbers_of_its_version(pip: str | None, elsewhere: bool) -> None:
    assert installs_elsewhere(pip) == elsewhere


@pytest.mark.slow
def test_it_is_made_checked_used_made_anew_and_removed(offline: Path, wheel_of_serial: Callable[[str], None]) -> None:
    heard = Heard()
    interpreter = install("serial", heard)
    assert interpreter.prefix == str((offline / "serial").resolve())
    assert {"pyserial", "numpy", "msgspec"} == interpreter.packages.keys(), "what the extra says, and edgerig's part"
    assert check("serial").packages == interpreter.packages
    manifest = catalogue.manifest_of("serial")
    assert manifest is not None
    assert manifest.requirements == catalogue.engine_named("serial").requirements
    assert manifest.bytes > 1e6
    found = catalogue.environment_of("serial", ("serial",))
    assert found is not None
    assert found.engine == "serial"
    wheel_of_serial("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(EngineError, match="installed and cannot be imported: it died of SIGSEGV") as caught:
        install("serial")
    assert caught.value.hint
    assert check("serial").packages == interpreter.packages, "what cannot be imported replaces nothing that works"
    wheel_of_serial("version = 1")
    assert install("serial").packages["pyserial"] == "3.99"
    assert entries(offline) == {"serial"}
    assert remove("serial") > 1e6
    assert entries(offline) == set()
    assert remove("serial") == 0
    with pytest.raises(EngineError, match="There is no environment of Serial"):
        check("serial")


def test_names_and_interpreters_that_are_none_are_refused(offline: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'openvino'"):
        install("openvno")
    with pytest.raises(UsageError, match="There is no Python interpreter"):
        install("serial", python=str(tmp_path / "absent"))
    assert remove("serial") == 0


@pytest.mark.slow
def test_without_a_network_it_says_so_and_leaves_nothing(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/simple")
        monkeypatch.setenv("PIP_RETRIES", "0")
        with pytest.raises(EngineError, match="pip cannot reach its package index") as caught:
            install("serial")
    assert "PIP_FIND_LINKS" in str(caught.value.hint)
    assert entries(offline) == set()


@pytest.mark.slow
def test_a_package_that_is_not_there_is_told_in_pips_words(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(EngineError, match=r"Could not find a version that satisfies the requirement .*serial"):
        install("serial")
    assert entries(offline) == set()


@pytest.mark.slow
def test_what_stands_alone_is_installed_without_what_it_asks_for(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheels: Path
) -> None:
    """As pnnx, which asks for PyTorch."""
    with zipfile.ZipFile(tmp_path / "alone_here-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("alone_here.py", "")
        about = "alone_here-1.0.dist-info"
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: alone-here\nVersion: 1.0\nRequires-Dist: torch\n"
        )
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} {wheels}")
    engine = catalogue.engine_named("serial")
    more = type(engine)(**{**vars_of(engine), "alone": ("alone-here>=1,<2",)})  # type: ignore[arg-type]
    monkeypatch.setitem(catalogue.ENGINES, "serial", more)
    packages = install("serial").packages
    assert packages["alone-here"] == "1.0"
    assert "pyserial" in packages
    assert "torch" not in packages
    manifest = catalogue.manifest_of("serial")
    assert manifest is not None
    assert manifest.requirements[-1] == "alone-here>=1,<2"
    monkeypatch.setitem(
        catalogue.ENGINES,
        "serial",
        type(engine)(**{**vars_of(engine), "alone": ("alone-here>=2",)}),  # type: ignore[arg-type]
    )
    with pytest.raises(EngineError, match=r"has alone-here 1\.0, where edgerig needs alone-here>=2"):
        check("serial")


def test_too_little_room_is_told_before_anything_is_done(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = catalogue.engine_named("serial")
    monkeypatch.setitem(catalogue.ENGINES, "serial", type(huge)(**{**vars_of(huge), "disk": 10**9}))  # type: ignore[arg-type]
    with pytest.raises(StorageError, match=r"MB are free in"):
        install("serial")
    assert entries(offline) == set()


def vars_of(engine: catalogue.Engine) -> dict[str, object]:
    return {name: getattr(engine, name) for name in engine.__struct_fields__}


def test_one_that_was_damaged_or_is_of_another_version_is_named(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_environment(offline / "serial", ("numpy", "msgspec", "pyserial"))
    assert catalogue.environment_of("serial") is None, "it is not whole: nothing says what it was made for"
    manifest = catalogue.Manifest(engine="serial", requirements=(), bytes=1, seconds=1.0, made="2026-01-01T00:00:00Z")
    write_json(offline / "serial" / catalogue.MANIFEST, manifest)
    assert check("serial").packages["pyserial"]
    site = next((offline / "serial").glob("lib/python3*/site-packages"))
    (site / "serial").rename(site / "other")
    with pytest.raises(EngineError, match="lacks serial") as caught:
        check("serial")
    assert caught.value.hint == "Make it anew: edgerig engines install serial"
    (site / "other").rename(site / "serial")
    monkeypatch.setattr(catalogue, "requirements_of", lambda extra: ("pyserial>=9",))
    with pytest.raises(EngineError, match=r"has pyserial 3\.\d+, where edgerig needs pyserial>=9"):
        check("serial")
    (offline / "serial" / "bin" / "python").unlink()
    (offline / "serial" / "bin" / "python3").unlink()
    with pytest.raises(EngineError, match=r"does not work any more: .* has no bin/python"):
        check("serial")


@pytest.mark.parametrize("code", ["raise OSError('libgone.so.1: cannot open')", "import libgone"])
def test_why_an_engine_cannot_be_imported_is_told_in_its_words(offline: Path, code: str) -> None:
    folder = made_environment(offline / "serial", ("numpy", "msgspec"))
    (next(folder.glob("lib/python3*/site-packages")) / "serial.py").write_text(code)
    assert "libgone" in str(importing(probe(str(folder)), "serial"))
    assert importing(probe(str(folder)), "numpy") is None


PROGRAM = """
import sys
from edgerig.environments import catalogue
from edgerig.environments.install import install
from tests.environments.conftest import SMALL
catalogue.ENGINES = {SMALL.name: SMALL}
try:
    install("serial")
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def installing(offline: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that installs from an index which takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        environment = {**os.environ, "PIP_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/simple"}
        environment = {key: text for key, text in environment.items() if key not in ("PIP_NO_INDEX", "PIP_FIND_LINKS")}
        process = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment)
        children: list[psutil.Process] = []
        try:
            connected, _ = silent.accept()
            with connected:
                children = psutil.Process(process.pid).children(recursive=True)
                yield process
        finally:
            process.kill()
            process.wait()
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()


def test_ctrl_c_ends_pip_and_leaves_nothing(offline: Path, installing: subprocess.Popen[bytes]) -> None:
    children = psutil.Process(installing.pid).children(recursive=True)
    assert children
    assert [item for item in entries(offline) if item.endswith(".tmp")]
    installing.send_signal(signal.SIGINT)
    assert installing.wait(30) == 130
    assert entries(offline) == set()
    assert not psutil.wait_procs(children, timeout=10)[1], "pip has ended, too"


def test_what_a_kill_leaves_is_no_environment_and_is_removed_later(
    offline: Path, installing: subprocess.Popen[bytes]
) -> None:
    installing.kill()
    installing.wait()
    assert [item for item in entries(offline) if item.endswith(".tmp")]
    assert catalogue.manifest_of("serial") is None
    assert remove("serial") == 0
    assert entries(offline) == set()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("exit 0", "is no Python interpreter that works: it ended with exit code 0"),
        (
            'echo \'edgerig-answer:{"version":[3,9,2],"kind":"CPython","prefix":"/x","packages":{},"missing":[]}\'',
            "is Python 3.9.2, and edgerig's part",
        ),
    ],
)
def test_with_what_is_no_python_or_too_old_nothing_is_begun(
    offline: Path, tmp_path: Path, program: str, words: str
) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    with pytest.raises((UsageError, EngineError), match=words):
        install("serial", python=str(path))
    assert not offline.exists() or entries(offline) == set()
