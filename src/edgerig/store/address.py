"""Addresses of stores, and of datasets in them: ``s3://lab/street@7`` is version 7 of ``street`` in ``s3://lab``."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from edgerig.errors import UsageError

#: What a dataset may be called: it becomes a folder, on any system.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PART = re.compile(r"[^\x00-\x1f\x7f?#%\\]+")
_VERSION = re.compile(r"[1-9][0-9]{0,5}")
#: Names that a store needs for itself.
_RESERVED = ("objects", "probe")
SCHEMES = ("s3://", "memory://", "set://")

EXAMPLES = "Addresses look like s3://bucket/prefix/street, set://dataset/street, or data/street for a folder."
CREDENTIALS = (
    "Keys come from a file named with --credentials or EDGERIG_CREDENTIALS, from AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or from a profile in ~/.aws."
)


class DatasetAddress(msgspec.Struct, frozen=True):
    """The address of a dataset, taken apart.

    Attributes:
        store: The address of its store, for `edgerig.store.open_store`.
        name: Its name there.
        version: The number of one version, from 1 on; None for the newest.
    """

    store: str
    name: str
    version: int | None = None

    def __str__(self) -> str:
        at = "" if self.version is None else f"@{self.version}"
        separator = "" if self.store.endswith("/") else "/"
        return f"{self.store}{separator}{self.name}{at}"


def parse_address(text: str) -> DatasetAddress:
    """Take apart the address of a dataset, ``STORE/NAME`` with an optional ``@N``.

    >>> parse_address("s3://lab/cameras/street@7")
    DatasetAddress(store='s3://lab/cameras', name='street', version=7)
    >>> parse_address("memory://street")
    DatasetAddress(store='memory://', name='street', version=None)

    Raises:
        UsageError: It is none, or its name or version is not valid.
    """
    address = check_store_address(text)
    path, at, number = address.rpartition("@")
    if not at or "/" in number:
        path, number = address, ""
    elif not _VERSION.fullmatch(number):
        raise UsageError(f"{number!r} in {text!r} is no version of a dataset.", "Versions are numbers from 1 on: @7.")
    scheme = next((each for each in SCHEMES if path.startswith(each)), "")
    folder, _, name = path[len(scheme) :].rstrip("/").rpartition("/")
    if scheme in ("s3://", "set://") and not folder:
        raise UsageError(f"{text!r} names no dataset.", EXAMPLES)
    check_name(name)
    root = "/" if not scheme and path.startswith("/") else "."
    return DatasetAddress(scheme + folder if folder or scheme else root, name, int(number) if number else None)


def check_name(name: str) -> str:
    """``name``, if a dataset may be called so.

    Raises:
        UsageError: It may not.
    """
    if not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise UsageError(
            f"A dataset cannot be called {name!r}.",
            f"Take letters, digits, '.', '_' and '-', up to 100, not {' or '.join(_RESERVED)}. {EXAMPLES}",
        )
    return name


def check_store_address(text: str) -> str:
    """``text``, if it can be the address of a store or of a dataset.

    Raises:
        UsageError: It has an unknown scheme, or what belongs into a file of credentials, which is not repeated.
    """
    if not text.strip():
        raise UsageError("An address is empty.", EXAMPLES)
    scheme, separator, rest = text.partition("://")
    if not separator:
        word, colon, path = text.partition(":")
        if colon and f"{word}://" in SCHEMES and not Path(f"{word}:").is_dir():
            raise UsageError(f"{text!r} lacks a slash.", f"Write {word}://{path.lstrip('/')}")
        return text
    if scheme + separator not in SCHEMES:
        raise UsageError(f"No store is behind addresses that begin with {scheme}://.", EXAMPLES)
    first, *parts = rest.rstrip("/").split("/")
    if scheme != "memory" and not _BUCKET.fullmatch(first):
        if any(mark in first for mark in "@:?"):
            what = "The address holds more than the name of a bucket before its first '/'."
            raise UsageError(f"{what} Keys, users and ports do not belong there.", f"{EXAMPLES} {CREDENTIALS}")
        raise UsageError(f"{first!r} in {text!r} is no name of a bucket.", EXAMPLES)
    if any(part in ("", ".", "..") or not _PART.fullmatch(part) for part in parts):
        raise UsageError(
            "The path in an address of a store is not valid.", f"No '..', '?', '#' or '%' there. {EXAMPLES}"
        )
    return text
