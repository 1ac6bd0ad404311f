"""The formats that edgerig's compilers write and that it does not read as models: C headers and C code."""

from __future__ import annotations

from edgerig.formats import Format


class CHeader(Format):
    """A C header with the bytes of a network in it."""

    name = "c-array"
    summary = "a C header with a network as an array; made, not read"
    suffixes = (".h",)
    is_model = False


class CFolder(Format):
    """A folder of C code, identified by its manifest, which names the other files and their hashes."""

    name = "c-source"
    summary = "a folder of C code; made, not read"
    suffixes = (".json",)
    is_model = False
