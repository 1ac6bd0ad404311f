"""Names of entries: paths that stay within the dataset's folder, on every system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from edgerig.errors import StoreError
from edgerig.text import harmless, one_line

#: Bytes of UTF-8 that a file system takes for a name, less what a temporary name adds.
_LONGEST_PART = 200
_LONGEST = 1000


def fault_of(name: str) -> str | None:
    """Why an entry cannot have this name, in words; None where it can.

    >>> fault_of("car/0001 été.png"), fault_of("../x")
    (None, "has '..' in it")
    """
    if not name:
        return "is empty"
    if name.startswith("/"):
        return "begins with '/'"
    if "\\" in name:
        return "has a backslash in it"
    if not name.isprintable() and (harmless(name) != name or "\n" in name or "\t" in name):
        return "has control characters or no text in it"
    parts = name.split("/")
    for part in parts:
        if part in (".", ".."):
            return f"has {part!r} in it"
        if not part:
            return "has an empty part"
        if len(part) > _LONGEST_PART // 4 and len(part.encode()) > _LONGEST_PART:
            return f"has a part of more than {_LONGEST_PART} bytes"
    return "is too long" if len(name) > _LONGEST else None


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse names that leave the folder, that are there twice, or that are both a file and a folder.

    Raises:
        StoreError: Names the first of them.
    """
    folders = set()
    for name in names:
        fault = fault_of(name)
        if fault is not None:
            raise StoreError(f"{what}: the name {one_line(name, 100)!r} {fault}.", "Rename that file.")
        cut = name.rfind("/")
        while cut > 0 and name[:cut] not in folders:
            folders.add(name[:cut])
            cut = name.rfind("/", 0, cut)
    unique = set(names)
    if len(unique) != len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise StoreError(f"{what}: the name {twice!r} is there twice.", "Rename one of them.")
    both = next(iter(unique & folders), None)
    if both is not None:
        raise StoreError(f"{what}: {both!r} is a file and a folder.", "Rename one of them.")


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that are one file where case, or how accents are composed, does not count."""
    first: dict[str, str] = {}
    pairs = []
    for name in names:
        other = first.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            pairs.append((other, name))
    return pairs
