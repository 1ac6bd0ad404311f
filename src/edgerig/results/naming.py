"""Any text as the name of a folder: the one place where a cell's id becomes a path."""

from __future__ import annotations

import re

from edgerig import files

#: Longer names do not fit together with what is put before and behind them.
LONGEST = 100
#: Names of devices on Windows, whatever comes after a dot.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._=+,@-]*[A-Za-z0-9_=+,@-])?")


def folder_name(text: str) -> str:
    """A name of one plain folder on any file system, different for texts that differ in more than case.

    A text of ASCII letters, digits and ``._=+,@-`` stays as it is. What else there is, is written ``-``, and the first
    digits of the text's SHA-256 follow, so that names which differ only in what was replaced or cut off stay apart.
    That no two cells of a plan differ in case alone, which some file systems do not see, is seen to by the plan.

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
