"""The golden vectors are what the script makes, and the Python receiver agrees with them however the bytes are cut."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from edgerig.wire.frame import Flag, Kind

ROOT = Path(__file__).parents[2]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_wire_vectors", ROOT / "scripts" / "make_wire_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_wire_vectors"] = module
    spec.loader.exec_module(module)
    return module


SCRIPT: Any = _script()
VECTORS = msgspec.json.decode((SCRIPT.FOLDER / "frames.json").read_bytes(), type=list[SCRIPT.Vector])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_receiver_agrees_with_vector(vector: Any) -> None:
    data = bytes.fromhex(vector.bytes)
    for piece in (1, 2, 3, 7, 31, 33, 64, len(data) + 1):
        assert SCRIPT.events_of(data, piece) == vector.events, piece


def test_vectors_split_in_two_at_every_byte() -> None:
    tried = 0
    for vector in VECTORS:
        data = bytes.fromhex(vector.bytes)
        if len(data) > 300:
            continue
        for place in range(1, len(data)):
            assert SCRIPT.events_of(data, place) == vector.events, (vector.name, place)
            tried += 1
    print(f"{tried} splits tried")
    assert tried > 5000


def test_both_files_are_what_the_script_makes() -> None:
    made = SCRIPT.vectors()
    assert (SCRIPT.FOLDER / "frames.json").read_text() == SCRIPT.as_json(made)
    assert (SCRIPT.FOLDER / "frames.txt").read_text() == SCRIPT.as_text(made)


def test_every_kind_flag_and_verdict_is_there() -> None:
    events = [event for vector in VECTORS for event in vector.events]
    assert {event.kind for event in events} >= {int(kind) for kind in Kind}
    assert {event.flags for event in events} >= {0, Flag.CHECKED, Flag.MORE, Flag.CHECKED | Flag.MORE}
    assert {event.verdict for event in events} == {"good", "damaged", "version", "too-long"}
    assert len({vector.name for vector in VECTORS}) == len(VECTORS) > 100


def test_by_hand_the_smallest_frame() -> None:
    """The example of docs/wire.md."""
    data = bytes.fromhex("a54552470107000001000000000000000000000000000000000000001b5e795a")
    assert SCRIPT.events_of(data) == [SCRIPT.Event("good", 0, Kind.STATS, 0, 1)]
