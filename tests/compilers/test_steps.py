"""Chains of compilers: what each step needs before it, and what may follow what."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.quantize import Int8, Int8Settings
from edgerig.compilers.steps import PLUS, State, followers, label_of, names_of, steps_to
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError, UsageError
from edgerig.plugins import make

KERAS, TFLITE = State("keras", "float32"), State("tflite", "float32")
#: Compilers of the base install: what reads Keras, TFLite and ONNX.
SOME = ["prune", "cluster", "prune-channels", "float32", "float16", "int8", "qat-int8", "onnx", "onnx-int8", "c-array"]


def known(name: str) -> ModelCompiler:
    return make("compiler", name, ModelCompiler)


def steps(chain: str, start: State = KERAS) -> list[str]:
    return [step.compiler.name for step in steps_to([known(name) for name in names_of(chain)], start, known)]


@pytest.mark.parametrize(
    ("chain", "start", "expected"),
    [
        ("prune+int8", KERAS, ["prune", "float32", "int8"]),
        ("prune-channels+prune+qat-int8", KERAS, ["prune-channels", "prune", "float32", "qat-int8"]),
        ("prune+onnx-int8", KERAS, ["prune", "float32", "onnx", "onnx-int8"]),
        ("int8+c-array", KERAS, ["float32", "int8", "c-array"]),
        ("int8+c-array", TFLITE, ["int8", "c-array"]),
        ("float32+int8", KERAS, ["float32", "int8"]),
        ("prune+openvino", KERAS, ["prune", "float32", "openvino"]),
        ("prune+onnx", State("torch", "float32"), ["prune", "onnx"]),
        ("cluster+int8", State("torch", "float32"), ["cluster", "float32", "int8"]),
        ("onnx+openvino", State("torch", "float32"), ["onnx", "openvino"]),
    ],
)
def test_what_a_step_needs_stands_before_it(chain: str, start: State, expected: list[str]) -> None:
    assert steps(chain, start) == expected


@pytest.mark.parametrize("name", [*SOME, "c", "qat-onnx-int8", "openvino", "ncnn", "mnn", "iree"])
def test_of_pytorch_no_step_needs_the_exporter_of_keras(name: str) -> None:
    chain = steps_to([known(name)], State("torch", "float32"), known)
    assert {"jax", "litert_converter"}.isdisjoint(chain[0].compiler.modules)
    assert "torch" in chain[0].compiler.modules


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        (
            "int8+prune",
            "prune cannot follow int8: .* reads keras or torch, not tflite; prune[+]int8 is possible; ",
        ),
        ("int8+float16", "float16 cannot follow int8: .* is int8 already; after int8 may come .*c-array"),
        ("cluster+prune", "weights of a cluster would part; prune[+]cluster is possible"),
        ("cluster+prune-channels", "prune-channels cannot follow cluster"),
        ("cluster+prune", "compiler 'prune' trains each weight by itself.*; after cluster may come .*int8, .*qat-int8"),
        ("cluster+prune-channels+int8", "prune-channels[+]cluster[+]int8 is possible"),
        ("onnx+int8", "int8 cannot follow onnx: compiler 'int8' reads"),
        ("c-array+int8", "after c-array may come nothing"),
        (
            "prune+int8+openvino",
            "openvino cannot follow int8: .* scale, which OpenVINO's IR does not keep.* Give int8 input_type=float32 "
            "and output_type=float32; after int8 may come c, c-array, edgetpu$",
        ),
        ("int16x8+openvino", "integers with a scale"),
    ],
)
def test_a_step_that_does_not_fit_is_refused_with_what_would(chain: str, words: str) -> None:
    with pytest.raises(IncompatibleError, match=words):
        steps(chain)


def test_integers_between_float_ends_may_go_on_to_openvino() -> None:
    ends = Int8(Int8Settings(input_type="float32", output_type="float32"))
    chain = steps_to([ends, known("openvino")], KERAS, known)
    assert [step.compiler.name for step in chain] == ["float32", "int8", "openvino"]
    with pytest.raises(IncompatibleError, match="does not keep"):
        steps_to([Int8(Int8Settings(input_type="float32")), known("openvino")], KERAS, known)


def test_a_state_of_a_file_tells_whether_its_ends_are_integers(
    float_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    int8_net = Int8(Int8Settings(calibration_samples=8)).compile(float_net, tmp_path, blobs)
    assert (State.of(float_net).integer_ends, State.of(int8_net).integer_ends) == (False, True)
    assert State.of(int8_net).tools[-1] == "int8"
    with pytest.raises(IncompatibleError, match="does not keep"):
        steps_to([known("openvino")], State.of(int8_net), known)


def test_a_network_that_was_clustered_before_is_not_trained_apart_either() -> None:
    with pytest.raises(IncompatibleError, match="weights of a cluster would part"):
        steps("prune", State("keras", "float32", ("train", "cluster")))
    apart = make("compiler", "qat-int8", ModelCompiler, {"keep_clusters": False})
    with pytest.raises(IncompatibleError, match="weights of a cluster would part"):
        steps_to([apart], State("tflite", "float32", ("train", "cluster", "float32")), known)
    assert steps("cluster+qat-int8", KERAS) == ["cluster", "float32", "qat-int8"]
    epochless = make("compiler", "prune", ModelCompiler, {"epochs": 0})
    assert steps_to([epochless], State("keras", "float32", ("cluster",)), known)


def test_settings_of_an_implied_step_are_those_that_were_given_to_it() -> None:
    own = known("float32")
    chain = steps_to([known("int8")], KERAS, lambda name: own if name == "float32" else known(name))
    assert chain[0].compiler is own
    assert [step.named for step in chain] == [False, True]


@pytest.mark.parametrize(
    ("chain", "labels"),
    [
        ("int8", ["float32", "int8"]),
        ("prune+int8", ["prune", "prune+float32", "prune+int8"]),
        ("float32+int8", ["float32", "float32+int8"]),
    ],
)
def test_results_are_called_by_what_was_named(chain: str, labels: list[str]) -> None:
    made = steps_to([known(name) for name in names_of(chain)], KERAS, known)
    assert [label_of(made[:end]) for end in range(1, len(made) + 1)] == labels


@pytest.mark.parametrize("chain", ["prune+", "+int8", "prune++int8", "+", " "])
def test_an_empty_name_is_refused(chain: str) -> None:
    with pytest.raises(UsageError, match="names an empty compiler"):
        names_of(chain)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(SOME), min_size=1, max_size=4))
def test_a_chain_fits_or_its_refusal_names_the_step(names: list[str]) -> None:
    """Each step takes what the one before it makes, the named ones are there in order; or one of them is refused."""
    chain = PLUS.join(names)
    assert list(names_of(chain)) == names
    compilers = [known(name) for name in names]
    try:
        made = steps_to(compilers, KERAS, known)
    except IncompatibleError as error:
        refusal = error.message
    else:
        refusal = ""
    if refusal:
        assert any(f"{name} cannot follow" in refusal for name in names[1:])
        return
    assert [step.compiler for step in made if step.named] == compilers
    state = KERAS
    for step in made:
        assert step.compiler.refuses(state.format, state.scheme) is None
        state = state.after(step.compiler)
    assert made[-1].compiler is compilers[-1]
    able = followers(state, known)
    for name in SOME:
        fits = True
        try:
            steps_to([*compilers, known(name)], KERAS, known)
        except IncompatibleError:
            fits = False
        assert fits == (name in able)
