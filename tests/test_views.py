"""Views are plain data: a bundle can hold any of them, and reads it back as it was."""

import doctest

import msgspec
import pytest

import edgerig.views
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.views import Axis, Curve, Gallery, Heading, Item, Line, Matrix, Table, View

MEASURED = Measurement(value=0.5, unit="1", kind="emulated", method="m", low=0.4, high=0.6)
EVERY: tuple[View, ...] = (
    Table(
        "t", (Heading("class"), Heading("AP", "1")), (("cat", MEASURED), ("dog", Unavailable("no box")), ("cow", None))
    ),
    Matrix("m", ("a", "b"), ("a", "b"), ((1, 2), (3, 4)), note="n"),
    Curve("c", Axis("recall", "1"), Axis("precision", "1"), (Line("cat", (0.0, 0.5), (1.0, 0.25), stepped=True),)),
    Gallery("g", ("truth", "says"), (Item(("cat", "dog"), "cGljdHVyZQ==", "bad"), Item(("a", "b"))), total=9),
)


@pytest.mark.parametrize("view", EVERY, ids=lambda view: type(view).__name__)
def test_a_view_survives_a_bundle(view: View) -> None:
    assert msgspec.json.decode(msgspec.json.encode(view), type=View) == view  # type: ignore[arg-type]


def test_each_kind_of_view_names_itself() -> None:
    kinds = [msgspec.to_builtins(view)["view"] for view in EVERY]
    assert kinds == ["table", "matrix", "curve", "gallery"]


def test_the_example_is_true() -> None:
    assert doctest.testmod(edgerig.views) == (0, 3)
