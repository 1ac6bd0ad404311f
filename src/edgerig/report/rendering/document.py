"""The report as a plain document of titles, texts, lists, tables and code, for every text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from edgerig.report.model import BundleView, Report, Variant
from edgerig.report.quality.accuracies import SHARED_LEGEND
from edgerig.report.quality.metrics import QUALITY_LEGEND
from edgerig.report.rendering import contents
from edgerig.report.tables import Table
from edgerig.report.units import percent, show
from edgerig.report.values import Fact
from edgerig.report.views import page_table, text_table
from edgerig.views import Matrix, View

#: A matrix of more columns is too wide for a text format.
WIDEST_MATRIX = 20


class Title(msgspec.Struct, frozen=True):
    """A heading; ``warnings`` apply to everything below it."""

    level: int
    text: str
    warnings: tuple[str, ...] = ()


class Text(msgspec.Struct, frozen=True):
    """A paragraph, plain or entirely in another ``style``."""

    text: str
    style: Literal["plain", "strong", "emphasis"] = "plain"


class Bullets(msgspec.Struct, frozen=True):
    """A list, with an optional title above it."""

    items: tuple[str, ...]
    title: str = ""


class Code(msgspec.Struct, frozen=True):
    """Lines that are shown verbatim."""

    lines: tuple[str, ...]
    language: str = "sh"


Block = Title | Text | Bullets | Code | Table


def document(report: Report) -> list[Block]:
    """The same content as the page, without its drawings and pictures; blocks without content are left out."""
    blocks: list[Block] = [Title(1, report.title)]
    for bundle in report.bundles:
        blocks += _bundle_head(bundle)
    blocks += [
        *_recommendation(report),
        Title(2, "Variants"),
        Bullets(report.notes),
        report.table,
        Text(_legend(report)),
        *_shared(report),
        *_compared(report),
        *_layers_compared(report),
    ]
    for bundle in report.bundles:
        if bundle.sizes:
            blocks += [Title(2, f"Size ({bundle.name})"), contents.sizes_table(bundle, False)]
    boards = contents.boards_table(report)
    if len(boards.lines) > 1:
        blocks += [Title(2, "Flash and RAM"), boards]
    blocks.append(Title(2, "Each variant"))
    for variant in report.variants:
        blocks += _variant(variant, report)
    blocks.append(Title(2, "The runs" if len(report.bundles) > 1 else "The run"))
    for bundle in report.bundles:
        blocks += _run(bundle)
    blocks.append(Text(f"Made by edgerig {report.edgerig}."))
    return [block for block in blocks if _has_content(block)]


def _has_content(block: Block) -> bool:
    if isinstance(block, Bullets):
        return bool(block.items)
    if isinstance(block, Code):
        return bool(block.lines)
    return bool(block.lines) if isinstance(block, Table) else bool(block.text)


def _facts(facts: Iterable[Fact], warnings: tuple[str, ...] = ()) -> Table:
    return contents.facts_table(tuple(facts), warnings)


def _bundle_head(bundle: BundleView) -> list[Block]:
    state = "" if bundle.finished else "Unfinished: this is what has been measured so far."
    facts = (*bundle.model, *bundle.dataset, *bundle.device, *bundle.run)
    return [Title(2, bundle.name), Text(state, "strong"), _facts(facts)]


def _recommendation(report: Report) -> list[Block]:
    choice = report.recommendation
    title = "Recommendation" if choice.firm else "Provisional recommendation" if choice.chosen else "No recommendation"
    sentences = (Text(sentence, "strong") for sentence in choice.sentences)
    return [Title(2, title), *sentences, Bullets(choice.reasons)]


def _legend(report: Report) -> str:
    note = "Latency is one inference in steady state; in brackets stand 95 % intervals."
    if any(variant.steady.banded for variant in report.variants):
        note = note[:-1] + ", at modelled numbers the error of the model."
    if any(variant.warnings for variant in report.variants):
        note += " What ⚠ warns of stands with the variant."
    if report.mixed:
        note += f" This report holds {', '.join(report.kinds)} numbers; those without a word are measured."
    return note


def _shared(report: Report) -> Iterator[Block]:
    """Errors on the samples that a variant and the baseline both ran."""
    for view in report.shared:
        yield Title(2, "Errors compared" + (f" ({view.dataset})" if len(report.shared) > 1 else ""))
        yield Text(f"{view.note} {SHARED_LEGEND}")
        yield contents.errors_table(view)
    for quality in report.qualities:
        dataset = f" ({quality.dataset})" if len(report.qualities) > 1 else ""
        yield Title(2, f"Quality compared: {quality.metric}{dataset}")
        yield Text(QUALITY_LEGEND)
        yield contents.quality_table(quality)


def _compared(report: Report) -> list[Block]:
    if len(report.bundles) < 2:
        return []
    none = "" if report.compared else "The runs share no combination of variant, runtime and target."
    return [Title(2, "Side by side"), Text(none), contents.compared_table(report)]


def _layers_compared(report: Report) -> Iterator[Block]:
    """The layers of all variants, and why some have none there."""
    if report.layers or report.unlayered:
        yield Title(2, "Layers")
    for view in report.layers:
        yield Text(view.table.title if len(report.layers) > 1 else "", "strong")
        yield view.table
        yield Text(view.table.note)
    yield Bullets(tuple(f"{variant.label}: {variant.reason}" for variant in report.unlayered))


def _variant(variant: Variant, report: Report) -> list[Block]:
    run = f" of {report.bundles[variant.bundle].name}" if len(report.bundles) > 1 else ""
    return [
        Title(3, f"{variant.label}{run}"),
        Bullets(variant.warnings, "Warnings"),
        Title(4, "Latency"),
        contents.latency_table(variant),
        _facts(variant.spread, variant.steady.warnings),
        _facts(variant.measurement),
        *_quality(variant),
        Title(4, "Memory"),
        contents.memory_table(variant),
        *_layers(variant),
        *_placement(variant),
        *_firmware(variant),
        *_against_float(variant),
        Title(4, "Machine"),
        contents.machine_table(variant),
        Title(4, "Repeat it"),
        Code(variant.commands),
        _facts((*variant.artifact, *variant.preprocessing, *variant.versions)),
        contents.origins_table(variant),
    ]


def _quality(variant: Variant) -> list[Block]:
    title = Title(4, "Quality")
    if not variant.metrics:
        return [title, Text(f"Not judged: {variant.quality.reason or ''}."), *_views(variant.views)]
    return [title, contents.metrics_table(variant), *_views(variant.views)]


def _views(views: Sequence[View]) -> Iterator[Block]:
    """Each view as a table under its title."""
    for view in views:
        if isinstance(view, Matrix) and len(view.columns) > WIDEST_MATRIX:
            continue
        table = page_table(text_table(view))
        yield Text(view.title if table.lines else "", "strong")
        yield table
        yield Text(view.note)


def _layers(variant: Variant) -> list[Block]:
    layers = variant.layers
    if layers.reason is not None:
        return [Title(4, "Layers"), Text(f"unavailable: {layers.reason}", "emphasis")]
    return [Title(4, "Layers", layers.warnings), contents.layers_table(variant), Text(layers.note)]


def _placement(variant: Variant) -> list[Block]:
    placement, title = variant.placement, "What ran where"
    if placement.reason is not None:
        return [Title(4, title), Text(f"unavailable: {placement.reason}", "emphasis")]
    return [Title(4, title, placement.warnings), contents.placement_table(variant), Text(placement.note)]


def _firmware(variant: Variant) -> list[Block]:
    firmware = variant.firmware
    if firmware is None:
        return []
    totals = "; ".join(f"{row.name} {row.bytes:,} B, {percent(row.share)}" for row in firmware.totals)
    return [
        Title(4, "Firmware", firmware.warnings),
        Text(" ".join((f"{firmware.board}: {totals} of what there is.", *firmware.notes))),
        contents.parts_table(firmware),
        contents.symbols_table(firmware),
        _facts(firmware.build),
    ]


def _against_float(variant: Variant) -> list[Block]:
    title, agreement = Title(4, "Against the float model"), variant.agreement
    if agreement is None:
        return [title, Text(f"Not compared: {variant.agreement_reason}.")]
    text = " ".join(part for part in (agreement.same.text, agreement.what, agreement.note, agreement.errors) if part)
    return [title, Text(text), *_views(agreement.views)]


def _run(bundle: BundleView) -> list[Block]:
    blocks: list[Block] = [
        Title(3, bundle.name),
        _facts([Fact("folder", bundle.path)]),
        Code(bundle.commands),
        Bullets(bundle.warnings, "Warnings"),
        contents.failures_table(bundle),
    ]
    for failure in bundle.failures:
        if failure.is_long:
            blocks += [Text(f"{failure.id}:"), Code(tuple(failure.message.splitlines()), "text")]
    return [
        *blocks,
        Bullets(bundle.interruptions, "Interruptions"),
        _facts(bundle.host),
        _facts(bundle.stages),
        Text(f"All cells took {show(bundle.seconds, 's')}."),
    ]
