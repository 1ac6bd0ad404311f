"""The report's page in a real browser.

Without Debian's chromium the tests here are skipped, except where CI=true: there they fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.chromium import chromium
from tests.report.test_columns import with_rounds

from edgerig.measure.utilisation import Series, Utilisation
from edgerig.report import write_report
from edgerig.report.load import Loaded
from edgerig.results.types import CellResult


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="session")
def pages(demo_folder: Path, demo: Loaded, make: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    other = make.save(make.run(rows=make.DEMO[3:4], name="b1", seed=50), folder / "b1")
    long = "a_very_long_name_without_any_space_" * 4
    rows = tuple((long + str(n), *row[1:]) for n, row in enumerate(make.DEMO[:3]))
    wide = make.save(make.run(rows=rows, name=long), folder / "wide")
    cells = tuple(with_rounds(cell, (1.0e-3, 1.1e-3, 1.05e-3)) for cell in demo.result.cells)
    several = msgspec.structs.replace(demo, result=msgspec.structs.replace(demo.result, cells=cells))
    watched = tuple(replace_rounds(cell) for cell in several.result.cells)
    watching = msgspec.structs.replace(demo, result=msgspec.structs.replace(demo.result, cells=watched))
    bundles = {
        "utilisation": [make.save(watching, folder / "utilisation")],
        "demo": [demo_folder],
        "rounds": [make.save(several, folder / "rounds")],
        "two": [demo_folder, other],
        "long": [wide],
        "one": [other],
        "long two": [demo_folder, wide],
    }
    return {name: write_report(paths, folder / f"{name}.html").as_uri() for name, paths in bundles.items()}


def replace_rounds(cell: CellResult) -> CellResult:
    """``cell`` with rounds whose device was sampled: each unit, more sensors than colours, gaps."""
    seconds = tuple(0.1 * n for n in range(30))
    waves = [tuple(None if 8 < n < 14 and k == 3 else 1 + k + 0.2 * (n % 5) for n in range(30)) for k in range(9)]
    series = (
        Series("CPU load of the process", "1", waves[0]),
        Series("memory of the process", "B", tuple(55e6 + 1e4 * n for n in range(30))),
        Series("clock of the first core", "Hz", (2.596e9,) * 30),
        *(Series(f"temperature/thermal zone {k}", "°C", waves[k]) for k in range(9)),
        *(Series(f"power/VDD_{k}_IN", "W", waves[k]) for k in range(3)),
    )
    watched = Utilisation(seconds=seconds, series=series, inferences=100, joules={"VDD_0_IN": 3.0})
    rounds = tuple(msgspec.structs.replace(entry, utilisation=watched) for entry in cell.rounds)
    return msgspec.structs.replace(cell, rounds=rounds)
