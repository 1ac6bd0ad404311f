"""Rig files of several rigs: ``parts`` names them, and what stands beside it they have in common."""

from __future__ import annotations

from edgerig.errors import SpecError, UnknownNameError
from edgerig.rig.document import Document, Location

#: Keys of the file as a whole, which are no rig's.
PARTS, SUITE = "parts", "suite"
#: Suites, which end in a table of their own.
SUITES = ("mlperf-tiny",)
#: Keys whose mappings are put together; of others a part's own value counts alone.
MERGED = ("dataset", "measure")


def parts_of(document: Document) -> dict[str, Document] | None:
    """The rigs in a document by name, each with what they have in common; None where it is a single rig.

    A part's key replaces the common one; of ``dataset`` and ``measure`` its settings are put over the common ones.

    Raises:
        SpecError: ``parts`` is no mapping of names to rigs. UnknownNameError: There is no such suite.
    """
    data = document.data
    if SUITE in data and data[SUITE] not in SUITES:
        raise UnknownNameError(f"{document.where((SUITE,))}: suite", str(data[SUITE]), SUITES)
    if PARTS not in data:
        if SUITE in data:
            raise SpecError(f"{document.where((SUITE,))}: a suite needs parts.", "Write `parts: {NAME: {model: ..}}`.")
        return None
    parts = data[PARTS]
    if not isinstance(parts, dict) or not parts:
        raise SpecError(f"{document.where((PARTS,))} is no mapping of names to rigs.", "Write `parts: {NAME: {..}}`.")
    common = {key: value for key, value in data.items() if key not in (PARTS, SUITE)}
    rigs = {}
    for name, own in parts.items():
        where = document.where((PARTS, name))
        if not isinstance(own, dict):
            raise SpecError(f"{where} is no rig.", "A rig is a mapping with the keys model and dataset.")
        if not name or set(name) & set("/\\") or name.startswith("."):
            raise SpecError(f"{where}: {name!r} cannot be the name of a folder.", "Use letters, digits and dashes.")
        merged = {**common, **own, "name": own.get("name", name)}
        for key in MERGED:
            first, second = common.get(key), own.get(key)
            if isinstance(second, str) and isinstance(first, dict) and key == "dataset":
                second = {"use": second}
            if isinstance(first, dict) and isinstance(second, dict):
                merged[key] = {**first, **second}
        rigs[name] = Document(merged, document.name, document.folder, _lines(document, name))
    return rigs


def _lines(document: Document, name: str) -> dict[Location, int]:
    """The lines of a part's values: its own, and of what is common those of the file."""
    prefix = (PARTS, name)
    common = {where: line for where, line in document.lines.items() if where[:1] != (PARTS,)}
    return common | {where[2:]: line for where, line in document.lines.items() if where[:2] == prefix and where[2:]}
