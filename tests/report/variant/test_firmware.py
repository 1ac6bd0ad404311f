"""What the report shows of a board: instructions, modelled cycles, flash and RAM by symbol, how it was built."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edgerig.cli.finish import show_cells
from edgerig.measure.firmware import ArenaBuffer, FirmwareReport, SymbolSize
from edgerig.measure.judge import judge_firmware
from edgerig.measure.kinds import Measurement
from edgerig.report.build import build
from edgerig.report.model import Report
from edgerig.report.rendering.csv import render_csv_files
from edgerig.report.rendering.html import render_html
from edgerig.report.rendering.json import render_json
from edgerig.report.rendering.markdown import escape, render_markdown


def counted(value: float, unit: str, kind: Any) -> Measurement:
    band: Any = {"low": 0.8 * value, "high": 1.5 * value, "bounds": "model"} if kind == "modelled" else {}
    return Measurement(value=value, unit=unit, kind=kind, method="counted by a test", n=7, **band)


FIRMWARE = FirmwareReport(
    board="STM32F746-Discovery <1>",
    build={"compiler": "clang 22", "fpu": "off"},
    flash=120_420,
    flash_limit=1 << 20,
    ram=13_336,
    ram_limit=327_680,
    groups={"flash": {"weights": 96_120, "network": 12_288, "wire": 0}, "ram": {"stack": 4096}},
    macs=1_000_000,
    allocators=(),
    symbols=(
        SymbolSize("model_l2_weights", "flash", 36_864, "weights"),
        SymbolSize("arena", "ram", 8_032, "network"),
    ),
)
SIZES = {"arena": 8032, "tensor_sum": 37828, "stack_peak": 468, "stack_reserved": 4096, "flash": 120_420}


@pytest.fixture
def report(make: Any) -> Report:
    run = make.run()
    *others, board = run.result.cells
    layers = tuple(
        msgspec.structs.replace(layer, instructions=counted(1000.0 * layer.index + 7, "instructions", "emulated"))
        for layer in board.layers
    )
    board = msgspec.structs.replace(
        board,
        memory={name: counted(value, "B", "emulated") for name, value in SIZES.items()},
        layers=layers,
        firmware=FIRMWARE,
        instructions=counted(2_731_234, "instructions", "emulated"),
        cycles=counted(3_277_480.8, "cycles", "modelled"),
        warnings=("The firmware was built without the board's FPU.",),
    )
    return build([msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(*others, board)))])


def test_only_what_was_counted_has_instructions(report: Report) -> None:
    *others, board = report.variants
    assert all(one.instructions is None and one.firmware is None for one in others)
    assert board.instructions is not None
    assert (board.instructions.text, board.instructions.kind) == ("2.73 M instructions", "emulated")
    assert board.cycles is not None
    assert board.cycles.kind == "modelled"
    assert [row.instructions.value for row in board.layers.rows if row.instructions] == [7 + 1000 * i for i in range(7)]
    assert {"instructions, one inference", "cycles, one inference"} <= {stage.name for stage in board.stages}


def test_every_row_of_an_emulated_spread_says_so_and_no_measured_one_does(make: Any) -> None:
    report = build([make.run((make.DEMO[0], make.DEMO[-1]))])
    text, page = render_markdown(report), render_html(report)
    measured, board = report.variants
    assert len(board.spread) == len(measured.spread) == 8
    for fact in board.spread[:-1]:
        assert f"| {fact.label} | {fact.value} *emulated* |" in text, fact.label
        assert f'{fact.value} <span class="badge emulated">emulated</span></td>' in page, fact.label
    for fact in (*measured.spread, board.spread[-1]):
        assert f"| {fact.label} | {fact.value} |" in text, fact.label


@pytest.mark.parametrize("kind", ["modelled", "estimated"])
def test_what_a_model_made_has_no_spread_and_no_tail(make: Any, kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    run = make.run((make.DEMO[0], (*make.DEMO[-1][:-1], kind)))
    report = build([run])
    measured, board = report.variants
    assert (len(measured.spread), board.spread, board.times) == (8, (), None)
    assert "not a spread of measured ones" in board.times_reason
    assert board.p90.reason == board.p99.reason
    assert "a model has no tail" in (board.p99.reason or "")
    show_cells(run.result)
    lines = [line for line in capfd.readouterr().err.splitlines() if " us" in line]
    assert (lines[0].count(kind), lines[1].count(kind)) == (0, 1)
    low, high = (value * 1e6 for value in (board.steady.low, board.steady.high))
    assert f" us, {kind}, {low:,.1f} to {high:,.1f}" in lines[1]


def test_a_bad_build_is_said_at_each_time_and_count_and_few_samples_only_where_they_matter(make: Any) -> None:
    (built,) = judge_firmware(make.machine(packages={"fpu": "off"}))
    few = "Only 20 samples: measure at least 30."
    run = make.run((make.DEMO[-1],))
    (cell,) = run.result.cells
    latency = msgspec.structs.replace(
        cell.latency, steady=msgspec.structs.replace(cell.latency.steady, warnings=(built, few))
    )
    cell = msgspec.structs.replace(
        cell,
        warnings=(built, few),
        latency=latency,
        machine=make.machine(packages={"fpu": "off"}),
        instructions=counted(2_731_234, "instructions", "emulated"),
        cycles=counted(3_277_480.8, "cycles", "modelled"),
    )
    report = build([msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(cell,)))])
    (board,) = report.variants
    stages = {stage.name: stage.figure.warnings for stage in board.stages}
    for name in ("load", "first inference", "instructions, one inference", "cycles, one inference"):
        assert stages[name] == (built,), name
    assert stages["preprocessing, one sample"] == (), "that is the host's"
    assert board.p90.warnings == board.p99.warnings == stages["steady state (median)"] == (built, few)
    assert board.layers.warnings == (built,)
    text, page = render_markdown(report), render_html(report)
    assert f"#### Layers ⚠ {escape(built)}" in text
    for line in ("first inference", "cycles, one inference", "p99"):
        (row,) = (row for row in text.splitlines() if row.startswith(f"| {line} |"))
        assert f"⚠ {escape(built)}" in row
    caption = page.split("<caption>Operators in order of execution")[1].split("</caption>")[0]
    assert "FPU" in caption


def test_a_bad_build_is_said_at_sizes_that_the_compiler_makes_and_a_wrong_clock_is_not(make: Any) -> None:
    machine = make.machine(packages={"debug": "yes", "clock_hz": "16000000", "board_clock_hz": "216000000"})
    debug, clock = judge_firmware(machine)
    run = make.run((make.DEMO[-1],))
    (cell,) = run.result.cells
    steady = msgspec.structs.replace(cell.latency.steady, warnings=(debug, clock))
    cell = msgspec.structs.replace(
        cell,
        warnings=(debug, clock),
        machine=machine,
        firmware=FIRMWARE,
        latency=msgspec.structs.replace(cell.latency, steady=steady),
        memory={name: counted(value, "B", "emulated") for name, value in SIZES.items()},
    )
    report = build([msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(cell,)))])
    (board,) = report.variants
    assert {row.name for row in board.memory if row.figure.warnings} == {"flash", "stack peak"}
    assert {row.figure.warnings for row in board.memory} == {(), (debug,)}
    assert board.firmware is not None
    assert board.firmware.warnings == (debug,)
    text, page = render_markdown(report), render_html(report)
    assert f"#### Firmware ⚠ {escape(debug)}\n" in text
    lines = text.splitlines()
    (wide,) = (line for line in lines if line.startswith(("| ★", f"| {escape(board.label)} |")))
    assert wide.count("⚠") == 3, "median, p90 and p99"
    assert "What ⚠ warns of stands with the variant." in text
    assert sum(line.startswith(("| minimum", "| spread", "| drift")) and "⚠" in line for line in lines) == 3
    assert not any(line.startswith("| samples |") and "⚠" in line for line in lines)
    for caption, warned in (("What takes how much", debug), ("Steady state, all samples", clock)):
        assert warned in page.split(f"<caption>{caption}")[1].split("</caption>")[0].replace("&#39;", "'")


def test_line_and_charts_of_a_modelled_variant_carry_its_badge(make: Any) -> None:
    modelled = (*make.DEMO[-1][:-1], "modelled")
    page = render_html(build([make.run((make.DEMO[0], modelled))]))
    measured, board = (part.split("</details>")[0] for part in page.split('<details class="variant"')[1:3])
    badge = ' <span class="badge modelled">modelled</span>'
    assert "badge modelled" not in measured
    assert badge in board.split("</summary>")[0]
    assert f"Time by operator.{badge}</figcaption>" in board
    assert "are distributed." not in board
    emulated = render_html(build([make.run((make.DEMO[-1],))]))
    badge = ' <span class="badge emulated">emulated</span>'
    for caption in ("are distributed.", "below a latency.", "samples.", "Time by operator."):
        assert f"{caption}{badge}</figcaption>" in emulated, caption


def test_cycle_model_stands_with_its_fit_to_silicon_where_the_clock_is_named(make: Any) -> None:
    run = make.run((make.DEMO[0], make.DEMO[-1]))
    measured, board = run.result.cells
    fit = "a-constant, 1.20 cycles an instruction; fit to silicon: 126.3 ms on the real one"
    cycles = msgspec.structs.replace(counted(9.0, "cycles", "modelled"), method=f"one inference, {fit}")
    cells = (measured, msgspec.structs.replace(board, cycles=cycles))
    report = build([msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=cells))])
    text, page = render_markdown(report), render_html(report)
    clock, model = (f"| {name} | {escape(value)} |" for name, value in (("clock", board.clock), ("cycle model", fit)))
    assert f"{clock}\n{model}\n" in text
    assert text.count("cycle model") == page.count(">cycle model</th>") == 1
    assert f"<td>{fit}</td>" in page


def test_firmware_is_told_by_part_and_symbol(report: Report) -> None:
    firmware = report.variants[-1].firmware
    assert firmware is not None
    assert [(row.name, row.bytes) for row in firmware.totals] == [("flash", 120_420), ("RAM", 13_336)]
    assert [(row.place, row.name) for row in firmware.parts] == [
        ("flash", "weights"),
        ("flash", "network"),
        ("ram", "stack"),
    ]
    assert firmware.parts[0].share == pytest.approx(96_120 / (1 << 20))
    assert [row.name for row in firmware.symbols] == ["model_l2_weights", "arena"]
    assert firmware.notes == (
        "The arena is planned to 8,032 B; all tensors side by side would take 37,828 B, 4.7 times as much.",
        "An inference has 1,000,000 multiply-accumulates, each of which takes 2.73 instructions (emulated) and 3.28 "
        "cycles (modelled).",
        "There is no heap: no function that allocates memory is linked in.",
        "Of 4,096 B of stack 468 B were used at most.",
    )


def test_the_plan_of_the_arena_is_drawn_and_what_lies_nowhere_is_left_out(report: Report, make: Any) -> None:
    assert "The arena while the network runs" not in render_html(report)
    sound = (ArenaBuffer("input", 0, 784, 0, 1), ArenaBuffer("conv", 784, 64, 1, 2))
    nowhere = (
        ArenaBuffer("a", -8, 8, 0, 1),
        ArenaBuffer("b", 0, 8, 2, 1),
        ArenaBuffer("c", 0, -8, 0, 1),
        ArenaBuffer("d", 0, 8, 0, 10**12),
    )
    run = make.run((make.DEMO[-1],))
    firmware = msgspec.structs.replace(FIRMWARE, arena=(*nowhere, *sound))
    cell = msgspec.structs.replace(run.result.cells[0], firmware=firmware)
    whole = build([msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(cell,)))])
    assert whole.variants[0].firmware is not None
    assert whole.variants[0].firmware.arena == sound
    page = render_html(whole)
    assert "The arena while the network runs" in page
    assert "The plan of the arena: 2 buffers over 3 layers" in page
    rows = render_csv_files(whole)["arena.csv"].splitlines()
    assert rows[1].endswith("input,0,784,0,1")


def test_page_shows_it_all_and_escapes_it(report: Report) -> None:
    text = render_html(report)
    for part in (
        "2.73 M instructions",
        "model_l2_weights",
        "STM32F746-Discovery &lt;1&gt;",
        "120,420 B",
        "clang 22",
        'data-tab="Firmware"',
        "4.7\xa0times as much",
        "468\xa0B were used at most",
        "without the board",
        ">instructions</th>",
    ):
        assert part in text, part
    assert text.count('data-tab="Firmware"') == 1
    assert "<1>" not in text


def test_markdown_and_json_show_it_too(report: Report) -> None:
    text = render_markdown(report)
    for part in (
        "#### Firmware",
        "model\\_l2\\_weights",
        "2.73 M instructions",
        "instructions, one inference",
        "clang 22",
    ):
        assert part in text, part
    board = msgspec.json.decode(render_json(report))["variants"][-1]
    assert board["instructions"]["value"] == 2_731_234
    assert board["firmware"]["symbols"][0]["name"] == "model_l2_weights"


def test_without_boards_nothing_of_it_is_shown(make: Any) -> None:
    run = make.run(make.DEMO[:3])
    text = render_html(build([run]))
    assert "instructions" not in text.replace("instructions count", "")
    assert "Firmware" not in text
    assert "Firmware" not in render_markdown(build([run]))
