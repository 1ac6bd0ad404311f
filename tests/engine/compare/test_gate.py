"""The limits of a gate without any: on the latency, and on the main quality of whatever task judges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.results.compare.test_quality import NOISE, dataset, judged
from tests.results.conftest import make_measured, write_run  # noqa: F401

from edgerig.engine.compare.gate import _qualities, _usual_limits
from edgerig.results.bundle import Bundle
from edgerig.results.compare.stored import compare_bundles
from edgerig.results.gate.limits import parse_limits

Write = Callable[..., Path]


def usual(write: Write, a: Any, b: Any, **changes: Any) -> list[tuple[str, str]]:
    before, now = write("a", a, **changes), write("b", b, **changes)
    limits = _usual_limits(Bundle(now).result(), compare_bundles(before, now))
    return [(limit.metric, limit.text) for limit in limits]


def test_the_main_quality_is_limited_in_points_or_by_a_share_of_the_baseline(write_run: Write) -> None:  # noqa: F811
    latency = ("latency", "5 %")
    measured = make_measured([1e-4] * 3)
    assert usual(write_run, measured, measured) == [latency, ("accuracy", "0.5 points")]
    errors = usual(write_run, judged(NOISE), judged(1.1 * NOISE), dataset=dataset())
    assert errors == [latency, ("mae", "2 %")]
    cell, arrays = measured
    bare = msgspec.structs.replace(cell, quality=msgspec.structs.replace(cell.quality, metrics=()))
    assert usual(write_run, (bare, arrays), (bare, arrays)) == [latency]


def test_a_metric_of_a_task_of_the_user_s_is_limited_by_its_own_name(write_run: Write) -> None:  # noqa: F811
    cell, arrays = judged(NOISE)
    metric = msgspec.structs.replace(cell.quality.metrics[0], name="misses")
    own = msgspec.structs.replace(cell, quality=msgspec.structs.replace(cell.quality, metrics=(metric,)))
    assert ("quality_misses", "2 %") in usual(write_run, (own, arrays), (own, arrays), dataset=dataset(task="no:Task"))


def test_what_is_limited_beside_the_main_quality_is_compared_too() -> None:
    limits = parse_limits(
        {"quality": "1 %", "rmse": "2 %", "quality_exact": "1 point", "recall": "> 90 %", "size": "0"}
    )
    assert _qualities(limits) == ("rmse", "exact")
