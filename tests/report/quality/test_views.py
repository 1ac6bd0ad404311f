"""Tables of a quality."""

from __future__ import annotations

from edgerig.report.quality.views import class_table
from edgerig.tasks.judgement import ClassQuality, Quality


def test_a_class_without_samples_has_no_recall_and_one_never_predicted_no_precision() -> None:
    # Of class a 3 of 4 are right and one is taken for b; b never occurs; c occurs, is never predicted; d neither.
    quality = Quality(
        samples=6,
        confusion=((3, 1, 0, 0), (0, 0, 0, 0), (2, 0, 0, 0), (0, 0, 0, 0)),
        classes=(
            ClassQuality(name="a", precision=0.6, recall=0.75, f1=2 / 3, support=4),
            ClassQuality(name="b", precision=0.0, recall=0.0, f1=0.0, support=0),
            ClassQuality(name="c", precision=0.0, recall=0.0, f1=0.0, support=2),
            ClassQuality(name="d", precision=0.0, recall=0.0, f1=0.0, support=0),
        ),
    )
    (table,) = class_table(quality)
    assert table.rows == (
        ("a", 0.6, 0.75, 2 / 3, 4),
        ("b", 0.0, None, 0.0, 0),
        ("c", None, 0.0, 0.0, 2),
        ("d", None, None, None, 0),
    )
    assert table.order is not None
    assert [table.rows[index][0] for index in table.order] == ["c", "a", "b", "d"], "classes that occur come first"


def test_without_a_confusion_a_class_without_samples_has_no_recall() -> None:
    row = ClassQuality(name="a", precision=0.0, recall=0.0, f1=0.0, support=0)
    (table,) = class_table(Quality(samples=0, classes=(row,)))
    assert table.rows == (("a", 0.0, None, 0.0, 0),)
