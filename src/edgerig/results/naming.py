"""Any text as the name of a folder: all paths of cells are made from their ids here."""

from __future__ import annotations

import re

from edgerig import files

#: Longest name, so that prefixes and suffixes still fit.
LONGEST = 100
#: Reserved device names on Windows, with any suffix.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._=+,@-]*[A-Za-z0-9_=+,@-])?")


def folder_name(text: str) -> str:
    """A valid name of one folder on any file system, different for texts that differ in more than case.

    A text of ASCII letters, digits and ``._=+,@-`` stays as it is. Other characters are replaced by ``-``, and the
    first digits of the text's SHA-256 are appended, so that texts that differ only in what was replaced or cut off get
    different names. The plan ensures that no two cells differ in case alone, which some file systems ignore.

    >>> folder_name("int8-litert-local")
    'int8-litert-local'
    >>> folder_name("../../etc")
    'etc-74ccf3c5b4c19a81'
    """
    if len(text) <= LONGEST and _PLAIN.fullmatch(text) and text.partition(".")[0].lower() not in _DEVICES:
        return text
    digest = files.sha256(text.encode("utf-8", "surrogatepass"))[:16]
    cleaned = re.sub(r"[^A-Za-z0-9_=+,@.-]+", "-", text)[: LONGEST - len(digest) - 6]
    cleaned = cleaned.lstrip("._=+,@-").rstrip("-.")
    if cleaned.partition(".")[0].lower() in _DEVICES:
        cleaned = f"cell-{cleaned}"
    return f"{cleaned or 'cell'}-{digest}"
