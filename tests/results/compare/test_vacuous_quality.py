"""Equal qualities prove nothing where a network answers always the same, or all samples are of one class."""

import numpy as np
import pytest
from tests.results.compare.verdicts import accuracy_verdict

from edgerig.tasks.caveats import why_no_evidence

N = 2000
LABELS = np.arange(N) % 10
INDICES = np.arange(N)


def cell(predictions: np.ndarray, labels: np.ndarray = LABELS) -> dict[str, np.ndarray]:
    return {"indices": INDICES, "labels": labels, "predictions": predictions}


CONSTANT = np.full(N, 3)
RIGHT = LABELS.copy()
RIGHT[:100] = 0


@pytest.mark.parametrize(("a", "b", "who"), [(CONSTANT, CONSTANT, "A"), (RIGHT, RIGHT, None)])
def test_two_networks_that_agree_are_the_same_unless_they_always_answer_so(a, b, who) -> None:
    verdict = accuracy_verdict(cell(a), cell(b))
    assert verdict is not None
    assert verdict.verdict == ("same" if who is None else "inconclusive")
    assert (f"vacuous: {who} answers the same class for all 2,000 samples" in verdict.sentence) == (who is not None)


def test_one_file_on_one_engine_is_the_same_and_it_is_said_that_this_proves_little() -> None:
    verdict = accuracy_verdict(cell(CONSTANT), cell(CONSTANT), one_network=True)
    assert verdict is not None
    assert verdict.verdict == "same"
    assert "vacuous: A answers the same class" in verdict.sentence


def test_network_that_became_constant_is_worse_and_not_excused() -> None:
    verdict = accuracy_verdict(cell(RIGHT), cell(CONSTANT))
    assert verdict is not None
    assert verdict.verdict == "worse"
    assert "vacuous" not in verdict.sentence


def test_samples_of_one_class_tell_nothing_of_a_network() -> None:
    one = np.zeros(N, np.int64)
    verdict = accuracy_verdict(cell(np.zeros(N, np.int64), one), cell(np.zeros(N, np.int64), one))
    assert verdict is not None
    assert verdict.verdict == "inconclusive"
    assert "all 2,000 samples are of one class" in verdict.sentence


def test_only_the_samples_that_both_ran_count() -> None:
    first = {name: values[:10] for name, values in cell(np.where(INDICES < 10, 4, RIGHT)).items()}
    verdict = accuracy_verdict(first, cell(np.where(INDICES < 10, 4, RIGHT)))
    assert verdict is not None
    assert "A answers the same class for all 10 samples" in verdict.sentence


def test_reason_is_none_where_answers_differ() -> None:
    assert why_no_evidence(LABELS, ("A", RIGHT)) is None
    assert why_no_evidence(LABELS[:1], ("A", RIGHT[:1])) == "a single sample was run"
