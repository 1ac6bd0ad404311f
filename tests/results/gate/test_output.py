from xml.etree import ElementTree

import pytest

from edgerig.results.compare.types import Comparison
from edgerig.results.gate.judge import Check, GateResult
from edgerig.results.gate.output import gate_annotations, gate_junit, gate_markdown

HOSTILE = 'a <b> | `c` \x1b[31m ]]> & "d"\n::error::e'


@pytest.fixture
def result() -> GateResult:
    checks = tuple(
        Check(cell=cell, metric="latency", limit="< 20 ms", outcome=outcome, sentence=sentence)
        for cell, outcome, sentence in (
            ("one", "passed", "It is."),
            ("one", "regressed", HOSTILE),
            (HOSTILE, "inconclusive", "100 % unknown, yet."),
        )
    )
    comparison = Comparison(version=1, edgerig="0", created="now", method="stored", comparisons=())
    return GateResult(
        outcome="regressed",
        checks=checks,
        comparison=comparison,
        baseline="runs/a|b",
        bundle="runs/g",
        notes=(HOSTILE,),
    )


def counts(element: ElementTree.Element) -> list[int]:
    return [int(element.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped")]


def test_junit_is_xml_whose_counts_are_those_of_its_cases(result: GateResult) -> None:
    root = ElementTree.fromstring(gate_junit(result, inconclusive_fails=True).encode())
    assert root.tag == "testsuites"
    assert counts(root) == [3, 2, 0, 0]
    assert [counts(suite) for suite in root] == [[2, 1, 0, 0], [1, 1, 0, 0]]
    for suite in root:
        assert suite.tag == "testsuite"
        assert suite.get("name")
        for case in suite:
            assert case.tag == "testcase"
            assert case.get("name")
            assert case.get("classname")
    (failure,) = root.findall("./testsuite[@name='one']/testcase/failure")
    assert failure.get("type") == "regressed"
    assert "<b>" in str(failure.get("message"))
    assert "\x1b" not in str(failure.text)


def test_what_is_inconclusive_is_skipped_where_it_may_pass(result: GateResult) -> None:
    root = ElementTree.fromstring(gate_junit(result, inconclusive_fails=False).encode())
    assert counts(root) == [3, 1, 0, 1]
    (skipped,) = root.iter("skipped")
    assert "100 % unknown" in str(skipped.get("message"))


def test_markdown_has_a_row_for_each_check_and_texts_are_no_markup(result: GateResult) -> None:
    text = gate_markdown(result)
    rows = [line for line in text.splitlines() if line.startswith(("| ✅", "| ❌", "| ❓"))]
    assert len(rows) == 3
    for row in rows:
        assert row.replace("\\|", "").count("|") == 8
    assert "<b>" not in text
    assert "\x1b" not in text


def test_annotations_are_one_line_each_and_nobody_else_can_write_one(result: GateResult) -> None:
    lines = list(gate_annotations(result))
    assert [line.split(" ", 1)[0] for line in lines] == ["::error", "::warning"]
    assert all("\n" not in line and "\x1b" not in line for line in lines)
    assert "100 %25 unknown, yet." in lines[1]
    title = lines[1].split("title=", 1)[1].split("::", 1)[0]
    assert ":" not in title.replace("%3A", "")
