"""A gate's output for a pull request and for a CI: Markdown, JUnit XML, annotations."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from edgerig.results.compare.texts import amount_text
from edgerig.results.gate.judge import Check, GateResult
from edgerig.text import one_line

_SIGNS = {"passed": "✅", "regressed": "❌", "inconclusive": "❓"}
TITLES = {
    "passed": "All limits are kept",
    "regressed": "Something has become worse",
    "inconclusive": "Not certain: nothing has passed",
}


def gate_markdown(result: GateResult) -> str:
    """A table of all checks for the summary of a pull request."""
    lines = [f"### {_SIGNS[result.outcome]} {TITLES[result.outcome]}", "", f"Against `{_cell(result.baseline)}`.", ""]
    lines += ["| | cell | metric | limit | baseline | now | |", "|---|---|---|---|---|---|---|"]
    for check in result.checks:
        a, b = sides_of(check)
        row = (_SIGNS[check.outcome], check.cell, check.title, check.limit, a, b, check.sentence)
        lines.append("| " + " | ".join(_cell(text) for text in row) + " |")
    lines += ["", *(f"- {_cell(note)}" for note in result.notes)]
    return "\n".join(lines).rstrip() + "\n"


def gate_junit(result: GateResult, inconclusive_fails: bool) -> str:
    """JUnit XML: a suite for each cell, a case for each limit.

    A regressed check is a failure; an inconclusive one, too, if ``inconclusive_fails``, else skipped.
    """
    root = ElementTree.Element("testsuites", name="edgerig gate")
    for cell in dict.fromkeys(check.cell for check in result.checks):
        checks = [check for check in result.checks if check.cell == cell]
        suite = ElementTree.SubElement(root, "testsuite", name=_plain(cell))
        for check in checks:
            name = f"{check.title} {check.limit}"
            case = ElementTree.SubElement(suite, "testcase", classname=f"edgerig.{_plain(cell)}", name=_plain(name))
            if (
                check.outcome == "regressed"
                or check.unmeasured
                or (check.outcome == "inconclusive" and inconclusive_fails)
            ):
                failure = ElementTree.SubElement(case, "failure", type=check.outcome, message=_plain(check.sentence))
                failure.text = _plain(check.sentence)
            elif check.outcome == "inconclusive":
                ElementTree.SubElement(case, "skipped", message=_plain(f"inconclusive: {check.sentence}"))
            else:
                ElementTree.SubElement(case, "system-out").text = _plain(check.sentence)
        _count(suite, list(suite))
    _count(root, [case for suite in root for case in suite])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def gate_annotations(result: GateResult) -> Iterator[str]:
    """Workflow commands of GitHub Actions, one for each check that has not passed."""
    for check in result.checks:
        if check.outcome != "passed":
            level = "error" if check.outcome == "regressed" else "warning"
            title = f"{check.cell}: {check.title} {check.outcome}"
            yield f"::{level} title={_property(title)}::{_data(f'{check.limit}: {check.sentence}')}"


def sides_of(check: Check) -> tuple[str, str]:
    """The baseline's value and the new one as text."""
    verdict = check.verdict
    return (
        ("-", "-") if verdict is None else (amount_text(verdict.a, verdict.unit), amount_text(verdict.b, verdict.unit))
    )


def _count(element: ElementTree.Element, cases: list[ElementTree.Element]) -> None:
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", "0")
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))


def _plain(text: str) -> str:
    """The text without characters that XML cannot represent."""
    return "".join(c for c in one_line(text) if c >= " " and c not in "\ufffe\uffff")


def _cell(text: str) -> str:
    """Text escaped for a cell of a Markdown table."""
    for character in "\\`*_[]>|":
        text = text.replace(character, "\\" + character)
    text = text.replace("<", "&lt;")
    return one_line(text)


def _data(text: str) -> str:
    """The message of a workflow command, escaped as the runner expects."""
    return one_line(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
