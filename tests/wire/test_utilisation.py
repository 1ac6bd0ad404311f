import math

import pytest
from msgspec.structs import replace

from edgerig.measure.kinds import Unavailable
from edgerig.measure.utilisation import MOST_SAMPLES, Series, Utilisation
from edgerig.wire.utilisation import checked_utilisation

GOOD = Utilisation(seconds=(0.0, 1.0), series=(Series("memory", "B", (1.0, 2.0)),), inferences=3, joules={"rail": 2.0})


def test_plausible_utilisation_passes_as_it_is():
    assert checked_utilisation(GOOD, "pi") == GOOD


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": (1.0, 0.0)},
        {"seconds": (0.0, math.nan)},
        {"seconds": (-1.0, 0.0)},
        {"seconds": (0.0,)},
        {"seconds": (0.0,) * (MOST_SAMPLES + 1), "series": ()},
        {"cpu_seconds": math.inf},
        {"inferences": -1},
    ],
)
def test_what_cannot_be_makes_it_unavailable_with_the_devices_name(changes):
    checked = checked_utilisation(replace(GOOD, **changes), "pi")
    assert isinstance(checked, Unavailable)
    assert checked.reason.startswith("pi ")


def test_impossible_values_are_none_and_texts_lose_control_characters():
    series = (Series("mem\x1b[1mory", "B", (math.inf, -1.0)), Series("x", "parsec", (1.0, 1.0)))
    checked = checked_utilisation(
        replace(GOOD, series=series, joules={"a": math.nan, "b": -1.0}, unavailable={"power": "no\x07 sensor"}), "pi"
    )
    assert [entry.values for entry in checked.series] == [(None, None)]
    assert "\x1b" not in checked.series[0].name
    assert checked.joules == {}
    assert "\x07" not in checked.unavailable["power"]
