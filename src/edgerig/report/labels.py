"""Names for cells: short enough for a chart, unique in the report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from edgerig.report.load import Loaded
from edgerig.results.types import CellResult
from edgerig.results.variant_names import distinct_names


def labels(cells: Sequence[tuple[int, CellResult]]) -> tuple[list[str], list[str]]:
    """A full and a short label for each (bundle number, cell); both unique within one bundle.

    The full label is variant, runtime and target. The short one leaves out what is equal in all cells, and ``local``.
    Where two cells of a bundle still have the same label, the options in which they differ are added, else the cell's
    id.
    """
    targets = {cell.target for _, cell in cells}
    runtimes = {cell.runtime for _, cell in cells}
    full = [" · ".join((cell.variant, cell.runtime, short_address(cell.target))) for _, cell in cells]
    short = [
        " · ".join(
            part
            for part, wanted in (
                (cell.variant, True),
                (cell.runtime, len(runtimes) > 1),
                (short_address(cell.target), len(targets) > 1 and cell.target != "local"),
            )
            if wanted
        )
        for _, cell in cells
    ]
    return _distinct(full, cells), _distinct(short, cells)


def with_distinct_names(bundles: Sequence[Loaded]) -> list[tuple[int, CellResult]]:
    """Every cell with its bundle's number; different files of one name are named by the shortest ends of their paths
    that differ. A file that was measured twice keeps one name, so that its runs are shown side by side.
    """
    sources: dict[str, list[str]] = {}
    known = [{model.name: model.source for model in bundle.result.models} for bundle in bundles]
    for names in known:
        for name, source in names.items():
            if source not in sources.setdefault(name, []):
                sources[name].append(source)
    renamed = {
        source: new
        for name, paths in sources.items()
        if len(paths) > 1 and not any(path.startswith("trained: ") for path in paths)
        for source, new in zip(paths, distinct_names(paths), strict=True)
    }
    cells = [(number, cell) for number, bundle in enumerate(bundles) for cell in bundle.result.cells]
    return [
        (number, msgspec.structs.replace(cell, variant=renamed[source]))
        if cell.variant == cell.model and (source := known[number].get(cell.model, "")) in renamed
        else (number, cell)
        for number, cell in cells
    ]


def short_address(target: str) -> str:
    """A target without the parts that only its driver needs: ``tcp://pi:7433`` is ``pi:7433``."""
    return re.sub(r"^(tcp|serial)://", "", target).split("?")[0]


def anchors(cells: Sequence[tuple[int, CellResult]], bundles: int) -> list[str]:
    """An HTML id for each cell, safe in a URL's fragment whatever its name is."""
    seen: Counter[str] = Counter()
    result = []
    for number, cell in cells:
        stem = re.sub(r"[^a-z0-9]+", "-", cell.id.lower()).strip("-") or "cell"
        name = f"v{number + 1}-{stem}" if bundles > 1 else f"v-{stem}"
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name}--{seen[name]}")
    return result


def _distinct(names: list[str], cells: Sequence[tuple[int, CellResult]]) -> list[str]:
    def clashing(current: list[str]) -> set[tuple[int, str]]:
        count = Counter((number, name) for (number, _), name in zip(cells, current, strict=True))
        return {key for key, many in count.items() if many > 1}

    clash = clashing(names)
    differing = _differing([cell for (number, cell), name in zip(cells, names, strict=True) if (number, name) in clash])
    with_options = []
    for (number, cell), name in zip(cells, names, strict=True):
        options = ", ".join(f"{key}={cell.options[key]}" for key in differing if key in cell.options)
        with_options.append(f"{name} ({options})" if (number, name) in clash and options else name)
    clash = clashing(with_options)
    return [
        f"{name} [{cell.id}]" if (number, name) in clash else name
        for (number, cell), name in zip(cells, with_options, strict=True)
    ]


def _differing(cells: Sequence[CellResult]) -> list[str]:
    keys = dict.fromkeys(key for cell in cells for key in cell.options)
    return [key for key in keys if len({repr(cell.options.get(key)) for cell in cells}) > 1]
