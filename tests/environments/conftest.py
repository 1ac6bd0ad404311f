"""An engine that pip installs from wheels in a folder: pyserial in the place of one, which is small."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from edgerig.environments import catalogue
from edgerig.environments.catalogue import Engine

#: The extra `serial` is what it installs.
SMALL = Engine(name="serial", title="Serial", package="pyserial", module="serial", download=1, disk=90, seconds=5)


def repacked(package: str, folder: Path) -> None:
    """The wheel of an installed package, from its files."""
    distribution = metadata.distribution(package)
    lines = (distribution.read_text("WHEEL") or "").splitlines()
    # Of several tags the last: the first of pyserial's is Python 2's.
    tag = [line.partition(":")[2].strip() for line in lines if line.startswith("Tag:")][-1]
    name = f"{package.replace('-', '_')}-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for path in distribution.files or ():
            if path.parts[0] != ".." and "__pycache__" not in path.parts:
                wheel.write(str(distribution.locate_file(path)), path.as_posix())


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for package in ("numpy", "msgspec", "pyserial"):
        repacked(package, folder)
    return folder


@pytest.fixture
def offline(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, in which `SMALL` is installed from wheels; gives its folder of environments."""
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_COMPILE", "1")
    monkeypatch.setattr(catalogue, "ENGINES", {**catalogue.ENGINES, SMALL.name: SMALL})
    return tmp_path / "cache" / "engines"


@pytest.fixture
def wheel_of_serial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheels: Path) -> Callable[[str], None]:
    """Has pip find a newer pyserial, whose only module has that code."""

    def make(code: str) -> None:
        folder = tmp_path / "newer"
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / "pyserial-3.99-py3-none-any.whl", "w") as wheel:
            wheel.writestr("serial/__init__.py", code)
            about = "pyserial-3.99.dist-info"
            wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: pyserial\nVersion: 3.99\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")
        monkeypatch.setenv("PIP_FIND_LINKS", f"{folder} {wheels}")

    return make
