import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgerig import files
from edgerig.errors import InferenceError, StorageError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.finite import finite
from edgerig.results.types import ModelInfo
from edgerig.tasks.judgement import MetricValue

NOT_FINITE = [math.inf, -math.inf, math.nan]


class Holder(msgspec.Struct, frozen=True):
    quantity: Measurement | Unavailable
    maybe: MetricValue | None
    table: dict[str, Measurement | Unavailable]
    row: tuple[Measurement, ...] | Unavailable
    plain: dict[str, Any] = {}


def number(value: float, **more: Any) -> Measurement:
    return Measurement(value=value, unit="s", kind="measured", method="m", **more)


def holder(**changes: Any) -> Holder:
    metric = MetricValue(name="accuracy", value=0.5, higher_is_better=True)
    base = Holder(number(1.0), metric, {"a": number(1.0), "b": number(2.0)}, (number(1.0), number(2.0)))
    return msgspec.structs.replace(base, **changes)


def test_what_is_finite_is_the_same_object() -> None:
    value = holder()
    assert finite(value) is value


@pytest.mark.parametrize("bad", NOT_FINITE)
def test_the_nearest_place_that_can_says_that_there_is_no_number(bad: float) -> None:
    quantity = finite(holder(quantity=number(bad))).quantity
    assert isinstance(quantity, Unavailable)
    assert quantity.reason == f"quantity.value is {bad}, which is no finite number"
    assert finite(holder(quantity=number(1.0, low=bad, high=2.0))).quantity == number(1.0, high=2.0)
    table = finite(holder(table={"a": number(bad), "b": number(2.0)})).table
    assert isinstance(table["a"], Unavailable)
    assert table["b"] == number(2.0)
    assert isinstance(finite(holder(row=(number(1.0), number(bad)))).row, Unavailable)
    metric = MetricValue(name="accuracy", value=bad, higher_is_better=True)
    assert finite(holder(maybe=metric)).maybe is None
    assert finite(holder(plain={"loss": [bad]})).plain == {"loss": [str(bad)]}


@pytest.mark.parametrize("bad", NOT_FINITE)
def test_where_nothing_can_stand_for_it_the_field_is_named(bad: float) -> None:
    with pytest.raises(InferenceError, match="value is"):
        finite(number(bad))


@pytest.mark.parametrize("bad", NOT_FINITE)
def test_no_file_gets_a_number_that_json_does_not_have(tmp_path: Path, bad: float) -> None:
    with pytest.raises(StorageError, match=r"training\.loss is (inf|-inf|nan)"):
        files.write_json(tmp_path / "a.json", ModelInfo(name="n", source="s", training={"loss": bad}))
    assert list(tmp_path.iterdir()) == []
