"""Figures that say nothing say so: inputs that do not fit, constant outputs, one class, guesses."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgerig
from edgerig.cli.finish import show_cells
from edgerig.datasets.base import SPLITS
from edgerig.datasets.mnist import Mnist
from edgerig.datasets.samples import ArraySamples
from edgerig.measure import Unavailable
from edgerig.progress import Progress
from edgerig.report import build_report
from edgerig.report.rendering.html import render_html
from edgerig.report.rendering.markdown import render_markdown
from edgerig.results.types import CellResult
from edgerig.tasks.caveats import (
    VACUOUS,
    is_constant,
    judge_agreement,
    judge_answers,
    judge_outputs,
    judge_ties,
    why_vacuous,
)
from edgerig.tasks.classification import compare
from edgerig.tasks.judgement import Agreement
from edgerig.testing import networks
from edgerig.views import Gallery

NAMES = tuple("0123456789")
SAMPLES = 80


class Zeros(Mnist):
    """Digits that are all a nought, and so are the labels."""

    name = "zeros"

    def _prepare(self, progress: Progress) -> None:
        super()._prepare(progress)
        for split in SPLITS:
            samples = self._splits[split]
            self._splits[split] = samples.take(np.flatnonzero(samples.labels == 0))


class Raw(Mnist):
    """Digits whose pixels go in as they are, 0 to 255."""

    name = "raw"

    @property
    def preprocessing(self) -> Any:
        from edgerig.artifact import Preprocessing

        return Preprocessing()


class Quantized(Raw):
    """Digits that are int8 already: pixel - 128."""

    name = "quantized"

    def _prepare(self, progress: Progress) -> None:
        super()._prepare(progress)
        for split in SPLITS:
            samples = self._splits[split]
            pixels = np.stack([samples.raw(index) for index in range(len(samples))])
            self._splits[split] = ArraySamples((pixels.astype(np.int16) - 128).astype(np.int8), samples.labels)


def rig(*models: Path, dataset: str = "mnist", samples: int = SAMPLES) -> dict[str, Any]:
    measure = {"samples": samples, "warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0}
    return {
        "models": [str(model) for model in models],
        "dataset": dataset,
        "matrix": {"runtimes": ["litert"]},
        "measure": measure,
    }


def shown(out: Path, cells: tuple[CellResult, ...], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a user sees of a run: terminal, page, Markdown."""
    from types import SimpleNamespace

    capsys.readouterr()
    show_cells(SimpleNamespace(cells=cells))  # type: ignore[arg-type]
    report = build_report([out])
    return [capsys.readouterr().err, render_html(report), render_markdown(report)]


@pytest.fixture(scope="module")
def float_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite(tmp_path_factory.mktemp("float") / "float.tflite", 784, 10)


def test_identical_samples_are_named_and_the_network_is_not_blamed() -> None:
    scores = np.tile(np.float32([[0.1, 0.9]]), (20, 1))
    same, others = ArraySamples(np.zeros((20, 3))), ArraySamples(np.arange(60).reshape(20, 3))
    assert judge_outputs(scores, same) == [
        "All 20 samples are identical: what the network does with others is not known."
    ]
    assert why_vacuous(scores, scores, same) == "vacuous: all 20 samples are identical"
    assert "does not depend on its input" in judge_outputs(scores, others)[0]
    assert "does not depend on its input" in (why_vacuous(scores, scores, others) or "")


@pytest.mark.slow
def test_inputs_that_are_clamped_are_counted_and_warned_of_at_the_quality(
    float_net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = networks.dense_tflite_int8(tmp_path / "wrong.tflite", 784, 10, input_quantization=(1 / 255, 0))
    right = networks.dense_tflite_int8(tmp_path / "right.tflite", 784, 10)
    result = edgerig.run(rig(float_net, wrong, right), out=tmp_path / "out")
    whole, clamped, fits = result.cells
    assert whole.input is None
    assert clamped.input is not None
    assert fits.input is not None
    indices = np.load(tmp_path / "out/cells/wrong-litert-local/samples.npz")["indices"]
    test = Mnist().split("test")
    pixels = np.stack([test.raw(index) for index in indices])
    assert (clamped.input.below, clamped.input.above) == (0, int((pixels > 127).sum()))
    assert clamped.input.values == SAMPLES * 784
    assert (fits.input.below, fits.input.above) == (0, 0)
    assert not any("clamped" in warning for warning in fits.warnings)
    text = clamped.quality.warnings[0]
    assert f"{(pixels > 127).mean():.1%} of the input's values were clamped" in text
    assert text in clamped.warnings
    assert not any(text in quantity.warnings for quantity in (clamped.latency.steady,))  # type: ignore[union-attr]
    for page in shown(tmp_path / "out", result.cells, capsys):
        assert "values were clamped" in page
    variant = build_report([tmp_path / "out"]).variants[1]
    assert text in variant.quality.warnings


@pytest.mark.slow
def test_whole_numbers_for_an_integer_input_of_another_scale_are_warned_of(float_net: Path, tmp_path: Path) -> None:
    net = networks.dense_tflite_int8(tmp_path / "net.tflite", 784, 10, input_quantization=(1 / 255, -128))
    (cell,) = edgerig.run(rig(net, dataset=f"{__name__}:Raw"), out=tmp_path / "out").cells
    assert "whole numbers" in cell.quality.warnings[0]


@pytest.mark.slow
def test_samples_that_are_quantized_already_are_named_before_a_float_network(float_net: Path, tmp_path: Path) -> None:
    (cell,) = edgerig.run(rig(float_net, dataset=f"{__name__}:Quantized"), out=tmp_path / "out").cells
    assert cell.quality.warnings[0].startswith("The samples are int8, whole numbers from -128 to 127, and go into a")
    assert cell.quality.warnings[0] in cell.warnings


@pytest.mark.slow
def test_bytes_before_a_float_network_are_named_where_its_answers_are_a_guess(float_net: Path, tmp_path: Path) -> None:
    """As they are where int8 samples were cast as unsigned; the digits as they should be are not named."""
    (cell,) = edgerig.run(rig(float_net, dataset=f"{__name__}:Raw"), out=tmp_path / "raw").cells
    assert "no better than a guess" in cell.quality.warnings[0]
    assert "int8 and cast as unsigned" in cell.quality.warnings[0]
    (right,) = edgerig.run(rig(float_net), out=tmp_path / "right").cells
    assert not any("go into a float input" in text for text in right.quality.warnings)


def test_clamped_inputs_are_counted_once_in_a_run_that_went_on(tmp_path: Path, float_net: Path) -> None:
    from edgerig.engine.rounds.journal import Journal

    net = networks.dense_tflite_int8(tmp_path / "net.tflite", 784, 10, input_quantization=(1 / 255, 0))
    whole = edgerig.run(rig(net), out=tmp_path / "whole").cells[0]
    journal = Journal(tmp_path / "partial", "key")
    counts = np.ones((3, 9))
    journal.append(
        scores=np.zeros((3, 10), np.float32), times_ns=np.ones(3, np.int64), fit=counts, finite=np.ones(3, np.uint8)
    )
    again = Journal(tmp_path / "partial", "key")
    again.load()
    assert (again.joined("fit") == counts).all()
    assert whole.input is not None


@pytest.mark.slow
def test_a_network_that_does_not_look_at_its_input_agrees_with_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = networks.dense_tflite(tmp_path / "dead.tflite", 784, 10, gain=0)
    (cell,) = edgerig.run(rig(dead), out=tmp_path / "out").cells
    assert isinstance(cell.agreement, Unavailable)
    assert cell.agreement.reason.startswith(VACUOUS)
    assert "does not depend on its input" in cell.agreement.reason
    assert any("does not depend on its input" in text for text in cell.quality.warnings)
    assert any("no better than guessing" in text for text in cell.quality.warnings)
    terminal, page, text = shown(tmp_path / "out", (cell,), capsys)
    assert "vacuous" in terminal
    for words in (terminal, page, text):
        assert "does not depend on its input" in words
        assert "100.00%" not in words
    made = build_report([tmp_path / "out"]).recommendation
    assert (made.chosen, made.firm) == ((), False)
    assert "for every sample" in made.sentences[0]


@pytest.mark.slow
def test_samples_of_one_class_prove_nothing(float_net: Path, tmp_path: Path) -> None:
    int8 = networks.dense_tflite_int8(tmp_path / "int8.tflite", 784, 10)
    result = edgerig.run(rig(float_net, int8, dataset=f"{__name__}:Zeros", samples=30), out=tmp_path / "out")
    for cell in result.cells:
        assert any("All 30 samples are of class '0'" in text for text in cell.quality.warnings)
    made = build_report([tmp_path / "out"]).recommendation
    assert made.chosen == ()
    assert "all samples are of class '0'" in made.sentences[0]


def test_networks_that_are_alive_have_no_caveats(float_net: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((50, 10), np.float32)
    assert judge_outputs(scores) == []
    assert why_vacuous(scores, scores) is None
    labels = np.resize(np.arange(10), 50)
    assert judge_answers(np.diag(np.bincount(labels)), NAMES) == []
    assert judge_agreement(labels, labels) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_no_numbers_are_no_agreement(bad: float) -> None:
    scores = np.random.default_rng(0).random((20, 10), np.float32)
    broken = scores.copy()
    broken[3, 2] = bad
    assert "not finite for 1 of 20 samples" in judge_outputs(broken)[0]
    samples = ArraySamples(np.zeros((20, 1)))
    for ours, theirs in ((broken, scores), (scores, broken), (broken, broken)):
        agreement = compare(ours, theirs, "f", samples, 0)
        assert isinstance(agreement, Unavailable)
        assert re.search(r"(not finite for|inf or NaN in) 1 of 20 samples", agreement.reason)


def test_a_reference_of_one_class_or_one_sample_is_vacuous() -> None:
    rng = np.random.default_rng(0)
    one_class = rng.random((20, 3), np.float32)
    one_class[:, 1] += 2
    assert "the same class for all 20 samples" in (why_vacuous(one_class, one_class) or "")
    assert "a single sample" in (why_vacuous(one_class[:1], one_class[:1]) or "")
    assert "one value a sample" in (why_vacuous(rng.random((9, 1), np.float32), rng.random((9, 1), np.float32)) or "")


def test_outputs_that_hardly_change_are_not_taken_for_constant() -> None:
    scores = np.full((10, 3), 0.3, np.float32)
    assert is_constant(scores)
    scores[4, 1] += 1e-3
    assert not is_constant(scores)
    assert not is_constant(scores[:1])


def test_agreement_that_chance_would_bring_about_is_told() -> None:
    ours = np.zeros(200, np.int64)
    ours[:4] = 1
    (text,) = judge_agreement(ours, ours)
    assert "two unrelated networks would agree on 96.1%" in text
    scores = np.eye(2, dtype=np.float32)[ours]
    agreement = compare(scores, scores, "f", ArraySamples(np.zeros((200, 1))), 0)
    assert isinstance(agreement, Agreement)
    assert agreement.warnings == (text,)


def test_guesses_are_named_with_what_guessing_gives() -> None:
    confusion = np.zeros((10, 10), np.int64)
    confusion[:, 3] = [94, 94, 94, 150, *[95] * 6]
    one, two = judge_answers(confusion, NAMES)
    assert "answers '3' for all" in one
    assert "always answering '3' gives 14.9" in two or "always answering '3' gives 15.0" in two


def test_more_right_than_guesses_that_chance_may_have_brought_about_are_not_called_guesses() -> None:
    """95 of 100 right where 90 are of one class: 8 more and 3 fewer than who always names that class, p = .23."""
    (text,) = judge_answers(np.array([[87, 3], [2, 8]]), ("a", "b"))
    assert text == (
        "An accuracy of 95.00% over 100 samples may be a guess: always answering 'a' gives 90.00% "
        "(McNemar's test at 5 %)."
    )
    (text,) = judge_answers(np.array([[82, 8], [2, 8]]), ("a", "b"))
    assert "is no better than guessing" in text
    assert judge_answers(np.array([[89, 1], [1, 9]]), ("a", "b")) == []


class PartlyLabelled(Mnist):
    """Digits of which every third has no label."""

    name = "partly"

    def _prepare(self, progress: Progress) -> None:
        super()._prepare(progress)
        samples = self._splits["test"]
        labels = samples.labels.copy()
        labels[::3] = -1
        self._splits["test"] = ArraySamples(np.stack([samples.raw(i) for i in range(len(samples))]), labels)


@pytest.mark.slow
def test_samples_without_a_label_are_not_judged(float_net: Path, tmp_path: Path) -> None:
    int8 = networks.dense_tflite_int8(tmp_path / "int8.tflite", 784, 10)
    result = edgerig.run(rig(float_net, int8, dataset=f"{__name__}:PartlyLabelled"), out=tmp_path / "out")
    arrays = np.load(tmp_path / "out/cells/int8-litert-local/samples.npz")
    known = arrays["labels"] >= 0
    cell = result.cells[1]
    assert 0 < known.sum() < SAMPLES
    assert cell.quality.samples == known.sum()
    right = (arrays["predictions"] == arrays["labels"])[known]
    assert cell.quality.metrics[0].value == pytest.approx(right.mean())
    compared = build_report([tmp_path / "out"]).variants[1].agreement
    assert compared is not None
    (gallery,) = compared.views
    assert isinstance(gallery, Gallery)
    rows = [dict(zip(gallery.labels, item.texts, strict=True)) for item in gallery.items]
    without = {int(row["sample"]) for row in rows if row["verdict"] == "nobody knows which is right"}
    assert without == {int(row["sample"]) for row in rows if row["truth"] == "unknown"}
    assert without <= set(arrays["indices"][~known])


@pytest.mark.slow
def test_predictions_on_random_numbers_are_neither_right_nor_wrong(tmp_path: Path, float_net: Path) -> None:
    int8 = networks.dense_tflite_int8(tmp_path / "int8.tflite", 784, 10)
    spec = rig(float_net, int8, dataset="random")
    spec["dataset"] = {"use": "random", "shape": [784], "samples": SAMPLES, "classes": 10}
    result = edgerig.run(spec, out=tmp_path / "out")
    assert isinstance(result.cells[1].agreement, Agreement)
    assert result.cells[1].agreement.disagreements
    compared = build_report([tmp_path / "out"]).variants[1].agreement
    assert compared is not None
    assert "Nobody knows which is right" in compared.note
    assert "wrong either way" not in compared.note
    (gallery,) = compared.views
    assert isinstance(gallery, Gallery)
    verdict = gallery.labels.index("verdict")
    assert {item.texts[verdict] for item in gallery.items} == {"nobody knows which is right"}
    assert not any("reach over" in text for text in result.cells[1].warnings)


@pytest.mark.slow
def test_inputs_that_do_not_fit_are_told_at_the_comparison_where_nothing_is_judged(tmp_path: Path) -> None:
    float_net = networks.dense_tflite(tmp_path / "float.tflite", 8, 4)
    int8 = networks.dense_tflite_int8(tmp_path / "int8.tflite", 8, 4, input_quantization=(1 / 255, 0))
    spec = rig(float_net, int8, dataset="random")
    spec["dataset"] = {"use": "random", "shape": [8], "samples": SAMPLES}
    cell = edgerig.run(spec, out=tmp_path / "out").cells[1]
    assert isinstance(cell.agreement, Agreement)
    assert any("values were clamped" in text for text in cell.agreement.warnings)
    assert any("values were clamped" in text for text in cell.warnings)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_an_accuracy_that_hangs_on_the_order_of_the_classes_is_told_with_its_bounds(seed: int, classes: int) -> None:
    """The bounds hold whichever of the highest scores counts, in any order of the classes."""
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, 4, (200, classes)).astype(np.float32), rng.integers(0, classes, 200)
    (text,) = judge_ties(scores, labels)
    least, most = (float(share) / 100 for share in re.findall(r"([\d.]+)%", text))
    for _ in range(3):
        order = rng.permutation(classes)
        accuracy = float((order[scores[:, order].argmax(axis=1)] == labels).mean())
        assert least - 1e-4 <= accuracy <= most + 1e-4
    assert judge_ties(scores + np.arange(classes) / 10, labels) == []


def test_few_ties_and_constant_outputs_are_not_told_as_ties() -> None:
    scores = np.eye(4, dtype=np.float32)[np.arange(1000) % 4]
    labels = np.arange(1000) % 4
    scores[:4] = 1
    assert judge_ties(scores, labels) == []
    assert judge_ties(np.ones((10, 4), np.float32), labels[:10]) == []
