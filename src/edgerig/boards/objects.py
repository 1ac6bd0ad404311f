"""Object files that were compiled before: most of a firmware's are the same in every firmware for its board."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgerig import files

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*(?:include|embed)\b[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>|(\S))', re.MULTILINE)
#: Takes in other files in ways that `_INCLUDE` does not see.
_OPAQUE = re.compile(rb"\.incbin|^[ \t]*\.include|__(?:FILE|DATE|TIME|TIMESTAMP)__|__has_include", re.MULTILINE)
_FOLDER_FLAGS = ("-I", "-isystem")


def object_key(source: Path, flags: Sequence[str], compiler: str) -> str | None:
    """The key of what ``source`` is compiled to: SHA-256 over the compiler, the flags, and the text of every file read.

    The folders of headers are not in it, only what lies in them. Headers of the compiler's own go with its version.

    Args:
        source: A C or assembly file.
        flags: Folders of headers as one word each, such as ``-Iinclude``, beside any other flags.
        compiler: Its name and version.

    Returns:
        The key; None if the object may depend on something else, such as a path.
    """
    if any(flag.startswith("-g") and flag != "-g0" for flag in flags):
        # Debug information names files by their paths.
        return None
    folders = _folders(flags)
    parts = [compiler, source.name, *(flag for flag in flags if not flag.startswith(_FOLDER_FLAGS))]
    numbers = {str(source): 0}
    waiting = [str(source)]
    while waiting:
        path = waiting.pop()
        text = Path(path).read_bytes()
        if _OPAQUE.search(text):
            return None
        parts.append(files.sha256(text))
        for name, header in _headers(text, str(Path(path).parent), folders):
            if name is None:
                return None
            if header is None:
                parts.append(f"{name} of the compiler")
                continue
            if header not in numbers:
                numbers[header] = len(numbers)
                waiting.append(header)
            parts.append(f"{name} is {numbers[header]}")
    return files.digest(parts)


def files_read(source: Path, flags: Sequence[str]) -> set[Path]:
    """``source`` and every file that it includes, directly or not; of headers those that lie in folders of ``flags``
    or beside the file that includes them, and none that a macro names."""
    folders = _folders(flags)
    paths, waiting = {str(source)}, [str(source)]
    while waiting:
        path = waiting.pop()
        for _, header in _headers(Path(path).read_bytes(), str(Path(path).parent), folders):
            if header is not None and header not in paths:
                paths.add(header)
                waiting.append(header)
    return set(map(Path, paths))


def _folders(flags: Sequence[str]) -> list[str]:
    return [flag.removeprefix(kind) for kind in _FOLDER_FLAGS for flag in flags if flag.startswith(kind)]


def _headers(text: bytes, here: str, folders: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """Name and path of every header that a file includes; the name is None if a macro gives it."""
    for quoted, angled, other in _INCLUDE.findall(text):
        if other:
            yield None, None
            continue
        name = (quoted or angled).decode(errors="replace")
        candidates = [os.path.normpath(f"{folder}/{name}") for folder in ([here] if quoted else []) + [*folders]]
        yield name, next((path for path in candidates if Path(path).is_file()), None)


def stored_object(key: str, output: Path) -> bool:
    """Write the object of ``key`` to ``output``; whether there is one and it is whole."""
    return files.take_checked(_path(key), output)


def store_object(key: str, output: Path) -> None:
    """Keep ``output`` as the object of ``key``."""
    files.store_checked(_path(key), output.read_bytes())


def _path(key: str) -> Path:
    return files.cache_folder() / "firmware" / "objects" / key[:2] / key
