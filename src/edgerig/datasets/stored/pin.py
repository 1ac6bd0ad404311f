"""Which version an address means: settled once, and written down with the hash of its file."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.errors import DatasetError, StoreError
from edgerig.store import DatasetAddress, Store, Version, Versions, open_dataset, parse_address
from edgerig.store.types import decode


class Pinned(msgspec.Struct, frozen=True):
    """One version of a dataset.

    Attributes:
        address: With the version's number, ``s3://lab/street@7``.
        version: Its entries and classes, and the hash of its file.
        store: Where its contents are; None where it was not asked, as the version is in the cache.
    """

    address: str
    version: Version
    store: Store | None


def pin(address: str, sha256: str | None) -> Pinned:
    """The version that an address means: that of its number, or the newest.

    A version whose hash is known is taken from the cache, where it is, without asking the store.

    Args:
        sha256: The hash that the version's file must have; None for any.

    Raises:
        DatasetError: The version is another one than that of the hash.
        StoreError: The store is not there, or has no such version.
    """
    parsed = parse_address(address)
    if sha256 is not None and parsed.version is not None:
        cached = _cached(address, sha256)
        # The hash of another version than the address names is an error, which the store's own answer shows.
        if cached is not None and cached.version == parsed.version:
            return Pinned(address, cached, None)
    versions, number = open_dataset(address)
    version = versions.read(number)
    exact = str(DatasetAddress(parsed.store, parsed.name, version.version))
    if sha256 not in (None, version.sha256):
        raise DatasetError(
            f"{exact} is another version than the one that was settled on: its SHA-256 is {version.sha256}, "
            f"not {sha256}.",
            "The dataset was made anew under the same name. Leave out 'sha256' to take it as it is now.",
        )
    _remember(versions, version)
    return Pinned(exact, version, versions.store)


def store_of(pinned: Pinned) -> Store:
    """The store of a version, opened where it was not asked yet."""
    if pinned.store is not None:
        return pinned.store
    return open_dataset(pinned.address)[0].store


def _path(sha256: str) -> Path:
    return files.cache_folder() / "store" / "versions" / f"{sha256}.json"


def _cached(address: str, sha256: str) -> Version | None:
    try:
        data = _path(sha256).read_bytes()
    except (OSError, ValueError):
        return None
    if files.sha256(data) != sha256:
        return None
    with contextlib.suppress(StoreError):
        return decode(data, address)
    return None


def _remember(versions: Versions, version: Version) -> None:
    path = _path(version.sha256)
    if not path.is_file():
        files.write_bytes(path, versions.read_bytes(version.version))
