"""Records of tests, as a run would leave them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.report.conftest import make_run

from edgerig.results.tests.make import records_of
from edgerig.results.tests.record import RecordedTest

ROW = ("int8", "litert", "local", 0.98, 24.0, 101_664, "measured")


@pytest.fixture(scope="session")
def make_record() -> Callable[..., RecordedTest]:
    """Makes the record of a made-up run, with changes."""
    (record,) = records_of(make_run((ROW,)).result, name="nightly")

    def make(**changes: Any) -> RecordedTest:
        return msgspec.structs.replace(record, **{"date": "2026-03-14T09:26:00+00:00", **changes})

    return make
