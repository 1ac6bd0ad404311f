import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.report import Report, render
from edgerig.report.build import build
from edgerig.report.load import Loaded
from edgerig.report.rendering.markdown import _cell, _table, escape

HOSTILE = "a|b\n# c <script>alert(1)</script> [x](javascript:alert) `d` *e* http://evil.example"


def tables(text: str) -> list[list[str]]:
    """Blocks of lines that start with a bar."""
    return [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]


def columns(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def test_the_markdown_holds_the_same_numbers(demo: Loaded) -> None:
    text = render([demo], "md")
    report = build([demo])
    main = next(table for table in tables(text) if "median latency" in table[0])
    assert len(main) == 2 + 8
    for line, variant in zip(main[2:], report.variants, strict=True):
        for figure in (variant.quality, variant.same, variant.steady, variant.p90, variant.p99, variant.size):
            assert figure.text in line
    assert "★ int8 · litert · local" in main[5]
    assert "*emulated*" in main[9]
    for sentence in report.recommendation.sentences:
        assert escape(sentence) in text
    for cell in demo.result.cells:
        assert cell.commands[0] in text
        assert cell.artifact.sha256 in text


@pytest.mark.slow
def test_every_table_has_as_many_columns_in_every_row(demo: Loaded, make: Any) -> None:
    for text in (render([demo], "md"), render([demo, make.run(name="b")], "md"), render([hostile(make)], "md")):
        for table in tables(text):
            assert len({columns(line) for line in table}) == 1, table[0]


def hostile(make: Any) -> Loaded:
    run = make.run(rows=make.DEMO[2:4])
    cells = tuple(
        msgspec.structs.replace(
            cell, variant=HOSTILE, target=HOSTILE, warnings=(HOSTILE,), commands=("```\necho",), options={HOSTILE: 1}
        )
        for cell in run.result.cells
    )
    result = msgspec.structs.replace(run.result, name=HOSTILE, cells=cells, failures=(make.failure(HOSTILE),))
    made: Loaded = msgspec.structs.replace(run, result=result)
    return made


def test_hostile_names_make_no_markup(make: Any) -> None:
    text = render([hostile(make)], "md")
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)\]\(", text), "a link"
    assert "://evil" not in text
    assert "\n# c" not in text
    assert "````sh" in text, "a fence must be longer than those in the command"


@pytest.mark.slow
@given(st.text(max_size=60))
def test_escaped_text_is_one_line_without_live_markup(text: str) -> None:
    escaped = escape(text)
    assert "\n" not in escaped
    assert not re.search(r"(?<!\\)(?:\\\\)*[<>|`*\[\]]", escaped)


def test_reasons_and_unfinished_runs_are_told(make: Any) -> None:
    text = render([make.run(finished=None, failures=(make.failure(),))], "md")
    assert "**Unfinished" in text
    assert "onnxruntime cannot load it" in text
    assert "*unavailable: TFLite Micro's Python build has no profiler*" in text
    assert "Not compared: it is the float model itself." in text


def test_table_of_a_failure_keeps_its_lines(make: Any) -> None:
    told = "It does not fit on a <board>:\n  flash     2 B of 1 B\n    ```symbol     2 B\nTake another board."
    failure = msgspec.structs.replace(make.failure("big"), message=told)
    run = make.run(finished=None, failures=(failure, make.failure("other")))
    text, page = render([run], "md"), render([run], "html")
    assert f"big:\n\n````text\n{told}\n````" in text
    (row,) = (line for line in text.splitlines() if line.startswith("| big |"))
    assert "It does not fit" in row
    assert "flash" not in row
    assert "other:\n" not in text
    assert told.replace("<board>", "&lt;board&gt;") in page


def test_the_json_is_the_model_itself(demo: Loaded) -> None:
    text = render([demo], "json")
    assert msgspec.json.decode(text, type=Report) == build([demo])


def test_a_cell_stays_a_cell_and_its_row_a_row_whatever_is_in_it() -> None:
    texts = ["a|b", "a\\|b", "a\\\\|b", "a\nb", "a\r\n| x | y |", "a\u2028b", "||", "\\", "a\x85b"]
    table = _table(("one", "two|three"), ([text, "end"] for text in texts))
    lines = table.splitlines()
    assert len(lines) == 2 + len(texts)
    for line in lines:
        # A bar counts where an even number of backslashes stands before it.
        assert len([bar for bar in re.findall(r"(\\*)\|", line) if len(bar) % 2 == 0]) == 3


def test_names_call_nobody_and_link_nowhere() -> None:
    assert "@" not in escape("ann@desk @everybody")
    assert "www." not in escape("see www.evil.example")
    assert escape("&lt;b&gt;") == "&amp;lt;b&amp;gt;"


@pytest.mark.slow
@pytest.mark.parametrize("row", ["\\", "|", "\\|", "`", "www."])
def test_the_cost_of_a_long_row_grows_with_its_length(row: str) -> None:
    # With its square, this would take a quarter of an hour.
    assert _cell(escape(row * 500_000))
    assert _cell(row * 500_000)
