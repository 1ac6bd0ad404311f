import pytest

from edgerig.errors import SpecError, UnknownNameError
from edgerig.suites.workflow.conditions import argo_condition, condition_holds

PARAMETERS = {"start": 1, "mode": "fast", "dry": False, "rate": 0.5}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start < 2", True),
        ("start < 1", False),
        ("0 < start <= 1", True),
        ("mode == 'fast' and not dry", True),
        ("mode != 'fast' or rate >= 0.5", True),
        ("dry", False),
        ("dry == false", True),
        ("start > -1", True),
    ],
)
def test_a_condition_compares_parameters(text: str, expected: bool) -> None:
    assert condition_holds(text, PARAMETERS) is expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("start <", "not a condition"),
        ("start + 1 < 2", "BinOp"),
        ("__import__('os')", "Call"),
        ("start is 1", "Is"),
        ("mode[0] == 'f'", "Subscript"),
        ("start == '1'", "a number and a text"),
        ("dry < 1", "a truth value and a number"),
        ("-mode == 1", "negative"),
        ("a" * 600, "600"),
        ("(" * 400 + "1" + ")" * 90, "not a condition"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, part: str) -> None:
    with pytest.raises(SpecError, match=part):
        condition_holds(text, PARAMETERS)


def test_an_unknown_parameter_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'start'"):
        condition_holds("strat < 2", PARAMETERS)


def test_argo_gets_the_same_condition() -> None:
    assert argo_condition("start < 1 or not dry", PARAMETERS) == (
        "({{workflow.parameters.start}} < 1) || (!({{workflow.parameters.dry}}))"
    )
    assert argo_condition("0 < start < 3", PARAMETERS) == (
        "(0 < {{workflow.parameters.start}}) && ({{workflow.parameters.start}} < 3)"
    )
    assert argo_condition("mode == 'slow'", PARAMETERS) == "'{{workflow.parameters.mode}}' == 'slow'"
    assert argo_condition("dry == true", PARAMETERS) == "{{workflow.parameters.dry}} == true"
