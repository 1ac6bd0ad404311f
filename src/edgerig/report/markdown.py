"""The report as Markdown (GitHub's tables), for pull requests and wikis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgerig.measure.kinds import Kind
from edgerig.report import contents
from edgerig.report.model import BundleView, Report, Variant
from edgerig.report.shared import SHARED_LEGEND
from edgerig.report.tables import Heading, Table
from edgerig.report.units import percent, show
from edgerig.report.values import Fact, Figure
from edgerig.report.views import page_table, text_table
from edgerig.text import harmless
from edgerig.views import Matrix, View

_CLASSES_SHOWN = 20


def render_markdown(report: Report) -> str:
    """The same content as the page without its drawings; names are escaped so that they stay text."""
    parts = [f"# {escape(report.title)}", *(_bundle_head(bundle) for bundle in report.bundles)]
    parts += [
        _recommendation(report),
        "## Variants",
        _bullets(report.notes),
        _variants(report),
        *_shared(report),
        _compared(report),
    ]
    parts += [_sizes(bundle) for bundle in report.bundles]
    parts += ["## Each variant", *(_variant(variant, report) for variant in report.variants)]
    parts += ["## The runs" if len(report.bundles) > 1 else "## The run", *(_run(b) for b in report.bundles)]
    parts.append(f"Made by edgerig {escape(report.edgerig)}.")
    return harmless("\n\n".join(part for part in parts if part)) + "\n"


def escape(text: str) -> str:
    """``text`` with everything that Markdown or HTML would take for markup made harmless, on one line."""
    escaped = re.sub(r"([\\`*_{}\[\]<>|#~$!])", r"\\\1", " ".join(text.split()).replace("&", "&amp;"))
    # GitHub makes links of addresses, and messages to people of their names.
    return re.sub(r"(?i)\b(www)\.", r"\1&#46;", escaped.replace("://", ":&#47;/").replace("@", "&#64;"))


def _figure(figure: Figure, *, interval: bool = False) -> str:
    if figure.reason is not None:
        return f"*unavailable: {escape(figure.reason)}*"
    bounds = f" ({figure.interval})" if (interval or figure.banded) and figure.interval else ""
    return f"{escape(figure.text + bounds)}{_kind(figure.kind)}{_marks(figure.warnings)}"


def _marks(warnings: Sequence[str]) -> str:
    """What stands behind a number, or the heading of many, that is not to be trusted."""
    return f" ⚠ {escape(' '.join(warnings))}" if warnings else ""


def _short(figure: Figure, *, interval: bool = False) -> str:
    """For tables of many columns: the reason stands with the variant."""
    if figure.reason is not None:
        return "unavailable"
    bounds = f" ({figure.interval})" if (interval or figure.banded) and figure.interval else ""
    return f"{escape(figure.text + bounds)}{_kind(figure.kind)}{_mark(figure.warnings)}"


def _mark(warnings: Sequence[str]) -> str:
    """For tables of many columns: what is wrong stands with the variant."""
    return " ⚠" if warnings else ""


def _kind(kind: Kind | None) -> str:
    """The word behind a number that was not measured."""
    return "" if kind in (None, "measured") else f" *{kind}*"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool] = ()) -> str:
    """A table; ``right`` says which of its columns are aligned to the right, none where it is empty."""
    rows = [[_cell(text) for text in row] for row in rows]
    if not rows:
        return ""
    rule = ["---:" if numbers else "---" for numbers in right or [False] * len(head)]
    return "\n".join("| " + " | ".join(line) + " |" for line in ([_cell(text) for text in head], rule, *rows))


def _cell(text: str) -> str:
    """``text`` as one cell, whatever it is: no line break ends its row, and no bar that is not escaped its cell."""
    return re.sub(
        r"(?<!\\)(\\*)\|", lambda bar: bar[0] if len(bar[1]) % 2 else f"{bar[1]}\\|", " ".join(text.splitlines())
    )


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {escape(item)}" for item in items)


def _code(lines: Sequence[str], language: str = "sh") -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *lines, fence]) if lines else ""


def _facts(facts: Iterable[Fact], warnings: Sequence[str] = ()) -> str:
    """Facts as a table; ``warnings`` are about those of them that are numbers of some kind."""
    rows = ((fact, _mark(warnings) if fact.kind else "") for fact in facts)
    return _table(("", ""), ((escape(fact.label), escape(fact.value) + _kind(fact.kind) + mark) for fact, mark in rows))


def _bundle_head(bundle: BundleView) -> str:
    state = "" if bundle.finished else "**Unfinished: this is what has been measured so far.**"
    facts = (*bundle.model, *bundle.dataset, *bundle.device, *bundle.run)
    return "\n\n".join(part for part in (f"## {escape(bundle.name)}", state, _facts(facts)) if part)


def _recommendation(report: Report) -> str:
    made = report.recommendation
    title = "Recommendation" if made.firm else "Provisional recommendation" if made.chosen else "No recommendation"
    text = "\n\n".join(f"**{escape(sentence)}**" for sentence in made.sentences)
    return "\n\n".join(part for part in (f"## {title}", text, _bullets(made.reasons)) if part)


def _declared(table: Table) -> str:
    """A declared table; a row that stands out has a star."""
    table = table.on("text")
    rows = [
        [
            ("★ " if line.marked and heading.head else "") + _value(figure, heading, table.reasons)
            for heading, figure in zip(table.headings, line.cells, strict=True)
        ]
        for line in table.lines
    ]
    head = [
        escape(f"{heading.group}: {heading.label}" if heading.group else heading.label) for heading in table.headings
    ]
    return _table(head, rows, [heading.align == "right" for heading in table.headings])


def _value(figure: Figure | None, heading: Heading, reasons: bool) -> str:
    if figure is None:
        return heading.absent or "–"
    return (_figure if reasons else _short)(figure, interval=heading.interval)


def _variants(report: Report) -> str:
    note = "Latency is one inference in steady state; in brackets stand 95 % intervals."
    if any(one.steady.banded for one in report.variants):
        note = note[:-1] + ", at modelled numbers the error of the model."
    if any(one.warnings for one in report.variants):
        note += " What ⚠ warns of stands with the variant."
    if report.mixed:
        note += f" This report holds {', '.join(report.kinds)} numbers; those without a word are measured."
    return _declared(report.table) + "\n\n" + note


def _shared(report: Report) -> list[str]:
    """Errors on the samples that a variant and the baseline both ran."""
    parts = []
    for view in report.shared:
        title = "## Errors compared" + (f" ({escape(view.dataset)})" if len(report.shared) > 1 else "")
        parts += [title, escape(view.note) + " " + SHARED_LEGEND, _declared(contents.errors_table(view))]
    return parts


def _compared(report: Report) -> str:
    if len(report.bundles) < 2:
        return ""
    if not report.compared:
        return "## Side by side\n\nThe runs share no combination of variant, runtime and target."
    return "## Side by side\n\n" + _declared(contents.compared_table(report))


def _sizes(bundle: BundleView) -> str:
    table = _declared(contents.sizes_table(bundle, False))
    return f"## Size ({escape(bundle.name)})\n\n{table}" if table else ""


def _variant(one: Variant, report: Report) -> str:
    run = f" of {escape(report.bundles[one.bundle].name)}" if len(report.bundles) > 1 else ""
    figures = [
        *((named.name, named.figure) for named in one.stages), ("p90", one.p90), ("p99", one.p99),
        ("throughput", one.throughput),
    ]  # fmt: skip
    parts = [f"### {escape(one.label)}{run}"]
    parts += ["**Warnings**\n\n" + _bullets(one.warnings)] if one.warnings else []
    rows = [(escape(name), _figure(figure, interval=True)) for name, figure in figures]
    parts += [
        "#### Latency",
        _table(("", ""), rows),
        _facts(one.spread, one.steady.warnings),
        _facts(one.measurement),
        *_quality(one),
    ]
    memory = [(escape(row.name), _figure(row.figure)) for row in one.memory]
    parts += ["#### Memory", _table(("", ""), [("artifact size", _figure(one.size)), *memory])]
    parts += _layers(one) + _firmware(one) + _against_float(one)
    changes = ((escape(row.label), escape(row.before), escape(row.after)) for row in one.machine)
    parts += ["#### Machine", _table(("", "before", "after"), changes)]
    parts += ["#### Repeat it", _code(one.commands), _facts((*one.artifact, *one.preprocessing, *one.versions))]
    parts.append(_declared(contents.origins_table(one)))
    return "\n\n".join(part for part in parts if part)


def _quality(one: Variant) -> list[str]:
    if not one.metrics:
        return ["#### Quality", f"Not judged: {escape(one.quality.reason or '')}."]
    metrics = [(escape(row.name), _figure(row.figure, interval=True)) for row in one.metrics]
    parts = ["#### Quality", _table(("metric", "value"), metrics, [False, True])]
    return [*parts, *(part for view in one.views for part in _view(view))]


def _view(view: View) -> list[str]:
    """A view as a table; none of a matrix that is too wide to read."""
    if isinstance(view, Matrix) and len(view.columns) > _CLASSES_SHOWN:
        return []
    table = _declared(page_table(text_table(view)))
    return [f"**{escape(view.title)}**" if table else "", table, escape(view.note)]


def _layers(one: Variant) -> list[str]:
    if one.layers.reason is not None:
        return ["#### Layers", f"*unavailable: {escape(one.layers.reason)}*"]
    head = "#### Layers" + _marks(one.layers.warnings)
    return [head, _declared(contents.layers_table(one)), escape(one.layers.note)]


def _firmware(one: Variant) -> list[str]:
    if one.firmware is None:
        return []
    firmware = one.firmware
    totals = "; ".join(f"{escape(row.name)} {row.bytes:,} B, {percent(row.share)}" for row in firmware.totals)
    return [
        "#### Firmware" + _marks(firmware.warnings),
        " ".join((f"{escape(firmware.board)}: {totals} of what there is.", *map(escape, firmware.notes))),
        _declared(contents.parts_table(firmware)),
        _declared(contents.symbols_table(firmware)),
        _facts(firmware.build),
    ]


def _against_float(one: Variant) -> list[str]:
    if one.agreement is None:
        return ["#### Against the float model", f"Not compared: {escape(one.agreement_reason)}."]
    compared = one.agreement
    text = (
        f"{escape(compared.same.text)} of {compared.samples:,} predictions are those of {escape(compared.reference)}. "
        f"{escape(compared.note)} Largest difference of an output {compared.max_abs_error:.3g}, "
        f"mean {compared.mean_abs_error:.3g}."
    )
    return ["#### Against the float model", text, *(part for view in compared.views for part in _view(view))]


def _run(bundle: BundleView) -> str:
    parts = [f"### {escape(bundle.name)}", _facts([Fact("folder", bundle.path)]), _code(bundle.commands)]
    parts += ["**Warnings**\n\n" + _bullets(bundle.warnings)] if bundle.warnings else []
    parts.append(_declared(contents.failures_table(bundle)))
    parts += [
        f"{escape(row.id)}:\n\n{_code(row.message.splitlines(), 'text')}" for row in bundle.failures if row.is_long
    ]
    parts += ["**Interruptions**\n\n" + _bullets(bundle.interruptions)] if bundle.interruptions else []
    parts += [_facts(bundle.host), _facts(bundle.stages), f"All cells took {show(bundle.seconds, 's')}."]
    return "\n\n".join(part for part in parts if part)
