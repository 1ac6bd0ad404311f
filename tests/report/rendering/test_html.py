import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.report import render
from edgerig.report.load import Loaded
from edgerig.report.rendering import contents
from edgerig.tasks.judgement import MetricValue, Quality

VOID = {"meta", "link", "img", "br", "hr", "input", "circle", "line", "rect", "path"}
HOSTILE = """</script><script>alert(1)</script><img src=x onerror=alert(2)>"'`{{7*7}}"""


class Page(HTMLParser):
    """Tags with their attributes, tables as rows of (text, value), and a check that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.tables: dict[str, list[list[tuple[str, str | None]]]] = {}
        self.text: list[str] = []
        self._table, self._cell, self._value, self._caption = "", None, None, False  # type: ignore[var-annotated]
        self._rows: list[list[tuple[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.stack == [], f"never closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "table":
            self._table, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell, self._value = "", attributes.get("data-v")
        elif tag == "caption":
            self._caption = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag, f"</{tag}> is out of place"
        if tag in ("td", "th") and self._cell is not None:
            self._rows[-1].append((" ".join(self._cell.split()), self._value))
            self._cell = None
        elif tag == "caption":
            self._caption = False
        elif tag == "table":
            self.tables.setdefault(self._table.strip(), self._rows)

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] in ("script", "style"):
            return
        self.text.append(data)
        if self._cell is not None:
            self._cell += data
        elif self._caption:
            self._table += data

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def html(demo: Loaded) -> str:
    return render([demo])


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


MAIN = "Variants with quality, latency and size"


def test_the_page_is_well_formed_and_small(html: str, page: Page) -> None:
    assert html.lstrip().startswith("<!doctype html>")
    assert len(html.encode()) < 600_000
    assert ("html", {"lang": "en"}) in page.tags


def test_every_number_of_the_table_is_the_results_own(page: Page, demo: Loaded) -> None:
    head, *rows = page.tables[MAIN]
    names = [text for text, _ in head]
    assert names == [
        "variant",
        "accuracy",
        "same as float",
        "median latency",
        "times as fast",
        "p90",
        "p99",
        "throughput",
        "size",
        "peak RSS",
        "arena",
    ]
    assert len(rows) == 8
    for row, cell in zip(rows, demo.result.cells, strict=True):
        shown = dict(zip(names, row, strict=True))
        distribution, memory = cell.latency.distribution, cell.memory
        assert distribution
        expected = {
            "accuracy": cell.quality.metrics[0].value,
            "same as float": getattr(cell.agreement, "same_class", None),
            "median latency": distribution.median,
            "p90": distribution.p90,
            "p99": distribution.p99,
            "throughput": getattr(cell.latency.throughput, "value", None),
            "size": cell.artifact.size,
            "peak RSS": getattr(memory.get("peak_rss"), "value", None),
            "arena": getattr(memory.get("arena"), "value", None),
        }
        for name, value in expected.items():
            text, exact = shown[name]
            if value is None:
                assert (text, exact) == ("unavailable", None)
            else:
                assert exact is not None, name
                assert float(exact) == value
        assert shown["variant"][0].startswith(cell.variant)
        assert (f"⚠ {len(cell.warnings)}" in shown["variant"][0]) == bool(cell.warnings)


def test_the_class_table_and_the_confusion_matrix_are_the_results_own(page: Page, demo: Loaded) -> None:
    quality = demo.result.cells[0].quality
    _, *rows = page.tables["By class"]
    for row, expected in zip(rows, quality.classes, strict=True):
        values = [float(value or "nan") for _, value in row[1:]]
        assert values == [expected.precision, expected.recall, expected.f1, expected.support]
    _, *rows = page.tables["Confusion: rows are the true class, columns the prediction"]
    assert [[int(text or 0) for text, _ in row[1:]] for row in rows] == [list(row) for row in quality.confusion]


def test_the_size_table_is_the_results_own(page: Page, demo: Loaded) -> None:
    _, *rows = page.tables["Size of the files"]
    for row, expected in zip(rows, demo.result.sizes, strict=True):
        assert [row[0][0], float(row[1][1] or 0), float(row[3][1] or 0), float(row[4][1] or 0)] == [
            expected.name,
            expected.bytes,
            expected.ratio,
            expected.saving,
        ]


def test_the_first_screen_says_what_where_and_what_follows(page: Page, demo: Loaded) -> None:
    words = page.words.replace("\u00a0", " ")
    before, _ = words.split("Variants with quality", 1)
    for part in ("mnist-cnn", "93,322", "2,794,240", "workbench", "AMD EPYC 7B13", "2026-03-14 09:25 UTC"):
        assert part in before
    assert "is the fastest of the 7 variants within 1 point" in before
    assert "Quality against latency" in before


def test_nothing_is_loaded_from_outside(html: str, page: Page) -> None:
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), f"{tag} {name}={value}"
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import)\s*\(", html)


def test_the_content_policy_allows_this_script_and_no_other(html: str, page: Page) -> None:
    scripts = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_kinds_are_marked_where_they_are_not_measured(html: str, page: Page) -> None:
    row = page.tables[MAIN][8]
    assert sum("emulated" in text for text, _ in row) >= 6
    assert not any("emulated" in text for row in page.tables[MAIN][1:8] for text, _ in row)
    assert "those without a badge are measured" in page.words


def test_a_run_of_measured_numbers_only_says_so(make: Any) -> None:
    page = Page(render([make.run(rows=make.DEMO[:4])]))
    assert "measured on the device" in page.words
    assert "This report holds" not in page.words


def test_unavailable_numbers_say_why_in_words(page: Page) -> None:
    for reason in (
        "no transport: the network runs in a process of this machine",
        "TFLite Micro's Python build has no profiler",
        "it is the float model itself",
        "a board without an operating system has no resident set",
    ):
        assert reason in page.words


def test_pictures_of_disagreements_are_in_the_page(page: Page, demo: Loaded) -> None:
    wanted = [one.picture for cell in demo.result.cells for one in getattr(cell.agreement, "disagreements", ())]
    found = [a["src"] for tag, a in page.tags if tag == "img"]
    assert found == [f"data:image/png;base64,{picture}" for picture in wanted]
    assert all(a.get("alt") for tag, a in page.tags if tag == "img")


def test_what_repeats_the_measurement_is_there(page: Page, demo: Loaded) -> None:
    for cell in demo.result.cells:
        assert cell.artifact.sha256 in page.words
        assert all(command in page.words for command in cell.commands)
    for part in (
        "litert-quantizer 0.11.0",
        "jax 0.10.2",
        demo.result.cells[0].artifact.preprocessing.hash,
        "calibration=200",
    ):
        assert part in page.words
    assert "load of 2.1 on 2 cores while measuring" in page.words


def test_the_page_can_be_used_without_a_mouse_or_eyes(page: Page) -> None:
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.tags:
        if tag == "svg":
            assert attributes.get("role") in ("img", "group")
            assert attributes.get("aria-label")
        if tag == "a" and (attributes.get("href") or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in ids
        if attributes.get("aria-labelledby"):
            assert attributes["aria-labelledby"] in ids
    assert sum(tag == "table" for tag, _ in page.tags) == sum(tag == "caption" for tag, _ in page.tags)
    assert all(a.get("scope") for tag, a in page.tags if tag == "th")


def hostile_run(make: Any) -> Loaded:
    """Every text that a user, a file or a device can choose is hostile."""
    run = make.run(rows=make.DEMO[2:4])
    cells = []
    for cell in run.result.cells:
        artifact = msgspec.structs.replace(
            cell.artifact,
            name=HOSTILE,
            scheme=HOSTILE,
            format=HOSTILE,
            sha256=HOSTILE,
            origins=tuple(
                msgspec.structs.replace(
                    one, tool=HOSTILE, options={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE}, parent=HOSTILE
                )
                for one in cell.artifact.origins
            ),
            inputs=tuple(msgspec.structs.replace(one, name=HOSTILE) for one in cell.artifact.inputs),
        )
        steady = msgspec.structs.replace(cell.latency.steady, method=HOSTILE, warnings=(HOSTILE,))
        changed = msgspec.structs.replace(
            cell,
            variant=HOSTILE,
            runtime=HOSTILE,
            runtime_version=HOSTILE,
            target=HOSTILE,
            artifact=artifact,
            options={HOSTILE: HOSTILE},
            warnings=(HOSTILE,),
            commands=(HOSTILE,),
            clock=HOSTILE,
            method=HOSTILE,
            latency=msgspec.structs.replace(cell.latency, steady=steady, load=Unavailable(HOSTILE)),
            layers=tuple(msgspec.structs.replace(one, name=HOSTILE, op=HOSTILE) for one in cell.layers),
            machine=make.machine(host=HOSTILE, cpu=HOSTILE, system=HOSTILE, packages={HOSTILE: HOSTILE}),
            agreement=msgspec.structs.replace(cell.agreement, reference=HOSTILE),
            memory={HOSTILE: Unavailable(HOSTILE)},
        )
        cells.append(changed)
    result = msgspec.structs.replace(
        run.result,
        name=HOSTILE,
        cells=tuple(cells),
        created=HOSTILE,
        edgerig=HOSTILE,
        warnings=(HOSTILE,),
        commands=(HOSTILE,),
        interruptions=(HOSTILE,),
        stages={HOSTILE: HOSTILE},
        failures=(make.failure(HOSTILE),),
        model=msgspec.structs.replace(run.result.model, name=HOSTILE, source=HOSTILE, training={HOSTILE: HOSTILE}),
        dataset=msgspec.structs.replace(run.result.dataset, name=HOSTILE, task=HOSTILE, classes=(HOSTILE,) * 10),
        sizes=tuple(msgspec.structs.replace(one, name=HOSTILE) for one in run.result.sizes),
    )
    return msgspec.structs.replace(run, result=result)


def test_hostile_names_stay_text(make: Any) -> None:
    html = render([hostile_run(make)])
    page = Page(html)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(a.get("src") == "x" for _, a in page.tags)
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    assert HOSTILE.split("<img")[0] in page.words, "the name itself must still be readable"
    assert "{{7*7}}" in page.words
    assert "49" not in [word for text in page.tables[MAIN] for cell, _ in text for word in cell.split()]


def test_two_runs_stand_side_by_side(demo: Loaded, make: Any) -> None:
    page = Page(render([demo, make.run(rows=make.DEMO[3:4], name="b1", seed=50)]))
    assert [row[0][0] for row in page.tables["The same combination in several runs"][2:]] == ["int8 · litert · local"]
    assert len(page.tables[MAIN]) == 10
    runs = page.tables["What was measured on what"]
    assert [row[0][0].split()[0] for row in runs[1:]] == ["mnist", "b1"]


def test_an_unfinished_run_says_so_at_the_top(make: Any) -> None:
    words = Page(render([make.run(finished=None, failures=(make.failure(),))])).words
    assert "Unfinished." in words
    assert words.index("Unfinished.") < words.index("Recommendation" if "Recommendation" in words else "recommendation")
    assert "InferenceError: onnxruntime cannot load it" in words


@pytest.mark.parametrize("what", ["no cells", "no quality", "no latency", "no samples", "no sizes"])
def test_runs_that_lack_something_still_make_a_page(make: Any, what: str) -> None:
    run = make.run(rows=() if what == "no cells" else make.DEMO[:3])
    cells = run.result.cells
    if what == "no quality":
        cells = tuple(msgspec.structs.replace(cell, quality=Quality(samples=9)) for cell in cells)
    if what == "no latency":
        none = Unavailable("the clock is broken")
        cells = tuple(
            msgspec.structs.replace(
                cell, latency=msgspec.structs.replace(cell.latency, steady=none, distribution=None, throughput=none)
            )
            for cell in cells
        )
    changes = {"cells": cells} | ({"sizes": ()} if what == "no sizes" else {})
    run = msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, **changes))
    if what == "no samples":
        run = msgspec.structs.replace(run, samples={})
    html = render([run])
    words = Page(html).words
    assert ("Median latency of each variant" in html) == (what == "no quality"), "without quality, speed alone is drawn"
    expected = {
        "no cells": "Nothing was measured",
        "no quality": "No variant has both quality and latency.",
        "no latency": "the clock is broken",
        "no samples": "No charts: the bundle holds no raw samples of this cell.",
        "no sizes": "Each variant",
    }
    assert expected[what] in words


def test_latency_that_is_not_in_seconds_is_shown_in_its_unit(make: Any) -> None:
    run = make.run(rows=make.DEMO[7:])
    cell = run.result.cells[0]
    counted = Measurement(value=15_400_000, unit="instructions", kind="emulated", method="counted")
    latency = msgspec.structs.replace(cell.latency, steady=counted, distribution=None)
    cell = msgspec.structs.replace(cell, latency=latency)
    run = msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(cell,)))
    page = Page(render([run]))
    assert "15.4 M instructions" in page.tables[MAIN][1][3][0]


@pytest.mark.parametrize(("higher", "said"), [(True, "Up and to the left is better"), (False, "Down and to the left")])
def test_the_plot_says_which_way_its_quality_is_better(demo: Loaded, higher: bool, said: str) -> None:
    metric = MetricValue(name="mae", value=0.2, higher_is_better=higher, unit="m")
    cells = tuple(
        msgspec.structs.replace(cell, quality=Quality(samples=9, metrics=(metric,))) for cell in demo.result.cells
    )
    result = msgspec.structs.replace(demo.result, cells=cells)
    page = render([msgspec.structs.replace(demo, result=result)])
    assert said in page


def test_every_table_that_a_template_asks_for_is_there() -> None:
    """Searches for what nothing calls do not see the templates, and a missing table ends a report of such a variant."""
    folder = Path(str(files("edgerig.report") / "templates"))
    asked = {name for path in folder.glob("*.html.j2") for name in re.findall(r"\btables\.(\w+)\(", path.read_text())}
    assert {"totals_table", "sizes_table"} <= asked
    assert [name for name in sorted(asked) if not hasattr(contents, name)] == []
