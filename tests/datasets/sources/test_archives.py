"""Archives that are fetched once, whatever is in them."""

from __future__ import annotations

import http.server
import io
import tarfile
from pathlib import Path

import pytest
from tests.datasets.conftest import ServeHttps
from tests.heard import Heard

from edgerig.datasets import pet
from edgerig.datasets.pet import Pet, PetSettings
from edgerig.datasets.sources import Source
from edgerig.datasets.sources.archives import unpacked
from edgerig.errors import DatasetError, SourceError, SpecError
from edgerig.files import sha256, sha256_file
from edgerig.progress import Progress


def archive(path: Path, members: dict[str, bytes | None]) -> Source:
    """A .tar.gz of files; None is a link that leads out."""
    with tarfile.open(path, "w:gz") as content:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            if data is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                member.size = len(data)
            content.addfile(member, io.BytesIO(data or b""))
    return Source(str(path), sha256_file(path))


def test_plain_files_of_the_named_folders_alone_are_unpacked(tmp_path: Path, own_cache: Path) -> None:
    source = archive(
        tmp_path / "a.tar.gz",
        {
            "images/a.jpg": b"a",
            "images/deep/b.jpg": b"b",
            "other/c.jpg": b"c",
            "images/../../d.jpg": b"d",
            "/images/e.jpg": b"e",
            "images/link": None,
            "f.txt": b"f",
        },
    )
    folder = unpacked("set", [source], ["images"], Progress())
    assert folder.is_relative_to(own_cache)
    assert sorted(str(path.relative_to(folder)) for path in folder.glob("*/**/*") if not path.is_dir()) == [
        "images/a.jpg",
        "images/deep/b.jpg",
    ]
    (tmp_path / "a.tar.gz").unlink()
    assert unpacked("set", [source], ["images"], Progress()) == folder, "it is there"


@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "more"])
def test_what_is_not_as_it_was_unpacked_is_unpacked_again_and_that_is_said(
    tmp_path: Path, own_cache: Path, damage: str
) -> None:
    source = archive(tmp_path / "a.tar.gz", {"images/a.jpg": b"abc", "images/b.jpg": b"b"})
    progress = Heard()
    path = unpacked("set", [source], ["images"], progress) / "images" / "a.jpg"
    {
        "changed": lambda: path.write_bytes(b"abd"),
        "cut": lambda: path.write_bytes(b""),
        "missing": path.unlink,
        "more": lambda: path.with_name("c.jpg").write_bytes(b"c"),
    }[damage]()
    assert progress.lines == []
    folder = unpacked("set", [source], ["images"], progress)
    assert {path.name: path.read_bytes() for path in (folder / "images").iterdir()} == {"a.jpg": b"abc", "b.jpg": b"b"}
    (told,) = progress.lines
    assert "set in the cache is damaged (images/" in told


def test_an_archive_that_cannot_be_read_leaves_no_folder(tmp_path: Path, own_cache: Path) -> None:
    whole = tmp_path / "whole.tar.gz"
    archive(whole, {"images/a.jpg": bytes(range(256)) * 100})
    for data in (b"no archive", whole.read_bytes()[:100]):
        path = tmp_path / "cut.tar.gz"
        path.write_bytes(data)
        with pytest.raises(SourceError, match=r"cut\.tar\.gz cannot be unpacked"):
            unpacked("set", [Source(str(path), sha256(data))], ["images"], Progress())
        assert [path.name for path in (own_cache / "datasets").iterdir()] == ["locks"]


def test_pets_are_fetched_from_a_server_and_gone_on_with(
    serve_https: ServeHttps, pet_root: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Files(http.server.BaseHTTPRequestHandler):
        """The first answer breaks off in the middle."""

        def do_GET(self) -> None:
            data = (tmp_path / self.path.lstrip("/")).read_bytes()
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
            end = len(data) if seen else len(data) // 2
            seen.append(self.path)
            self.send_response(206 if start else 200)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:end])

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    url, sources = serve_https(Files), []
    for name in ("annotations", "images"):
        path = tmp_path / f"{name}.tar.gz"
        with tarfile.open(path, "w:gz") as content:
            content.add(pet_root / name, name)
        sources.append(Source(f"{url}/{path.name}", sha256_file(path)))
    monkeypatch.setattr(pet, "ARCHIVES", tuple(sources))
    with pytest.raises(SourceError, match="broke off"):
        Pet(PetSettings(download=True)).prepare()
    assert [path.name for path in (own_cache / "datasets").iterdir()] == ["locks"]
    dataset = Pet(PetSettings(download=True, size=16))
    assert dataset.classes == ("Abyssinian", "american_bulldog", "Bengal")
    assert len(dataset.split("test")) == 9
    assert seen == ["/annotations.tar.gz", "/annotations.tar.gz", "/images.tar.gz"]
    again = Pet(PetSettings(download=True, size=16))
    assert again.split("test").fingerprint == dataset.split("test").fingerprint
    assert len(seen) == 3, "once"


def test_what_is_fetched_has_no_folder_of_its_own(pet_root: Path) -> None:
    with pytest.raises(SpecError, match="'download' and 'root' are both given"):
        Pet(PetSettings(download=True, root=str(pet_root))).prepare()
    with pytest.raises(DatasetError) as caught:
        Pet().prepare()
    assert "download=true" in str(caught.value.hint)
