"""Memory over time in a terminal."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import pytest

from edgerig.cli import main
from edgerig.cli.memory_chart import Span, StepMemory, draw, over_time, peak
from edgerig.micro import Options, compile_model
from edgerig.testing.networks.known_networks import digits

SPANS = [Span("x", 100, 400, 0, 0), Span("y", 0, 300, 0, 1), Span("a/long/path/of/operators/z", 300, 50, 1, 2)]
OPERATORS = ["CONV_2D", "FULLY_CONNECTED", "SOFTMAX"]


def test_what_lies_over_one_another_counts_once_and_gaps_do_not() -> None:
    assert [step.bytes for step in over_time(SPANS, OPERATORS)] == [500, 350, 50]
    assert over_time([Span("x", 0, 8, 0, 0), Span("y", 100, 8, 0, 0)], ["ADD"])[0].bytes == 16


def test_the_peak_is_the_first_step_that_needs_most_and_names_the_largest_first() -> None:
    assert peak(over_time(SPANS, OPERATORS)) == StepMemory(0, "CONV_2D", 500, ("x", "y"))
    assert peak([]) is None


def test_each_step_has_the_buffers_that_live_then() -> None:
    chance = random.Random(0)
    for _ in range(50):
        spans = []
        for index in range(chance.randint(0, 12)):
            first = chance.randint(-2, 9)
            spans.append(
                Span(str(index), chance.randint(0, 30), chance.choice([0, 4, 8]), first, first + chance.randint(-1, 6))
            )
        for number, step in enumerate(over_time(spans, ["op"] * 8)):
            alive = [span for span in spans if span.first <= number <= span.last and span.bytes]
            assert step.buffers == tuple(span.name for span in sorted(alive, key=lambda span: -span.bytes))
            assert step.bytes == len({byte for s in alive for byte in range(s.offset, s.offset + s.bytes)})


def test_a_drawing_has_a_line_for_each_buffer_and_marks_the_peak() -> None:
    lines = draw(SPANS, OPERATORS, 80)
    assert [line.split()[-1] for line in lines[1:4]] == ["██·", "█··", "·██"]
    assert "…" in lines[3]
    assert "operators/z" in lines[3]
    assert lines[4].endswith("█▆▁")
    assert lines[5].index("^") == lines[1].index("█")
    assert lines[6] == "peak: step 0, CONV_2D, 500 B: x (400 B), y (300 B)"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_many_steps_share_columns_and_the_fullest_is_shown(width: int) -> None:
    spans = [Span("all", 0, 10, 0, 499), Span("short", 10, 70, 250, 250)]
    lines = draw(spans, ["ADD"] * 500, width)
    assert lines[3].count("█") == 1
    assert "peak: step 250, ADD, 80 B" in lines[5]
    assert max(map(len, lines[:5])) <= max(width, 50)


def test_a_network_without_steps_says_so() -> None:
    assert draw([], [], 80) == ["no steps"]


def test_a_folder_of_c_shows_its_arena(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = compile_model(digits(), "net", Options(cpu="cortex-m7"))
    source.write(tmp_path / "net")
    with contextlib.suppress(SystemExit):
        main(["inspect", str(tmp_path / "net"), "--plan"])
    text = capsys.readouterr().out
    memory = source.manifest.memory
    assert f"{memory.arena:,} B planned" in text
    assert "peak: step" in text
    with contextlib.suppress(SystemExit):
        main(["inspect", str(tmp_path / "net" / "manifest.json"), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert max(step["bytes"] for step in document["over_time"]) <= memory.arena
    assert len(document["over_time"]) == len(source.manifest.layers)
    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(tmp_path / "net"), "--expect", "macs=1"])
    assert ended.value.code == 2
    assert "does not tell its operators" in capsys.readouterr().err


def test_a_manifest_of_another_version_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text('{"format": "edgerig-c", "layers": 3}')
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path)])
    assert "is damaged or of another version" in capsys.readouterr().err
