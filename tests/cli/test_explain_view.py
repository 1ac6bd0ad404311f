"""``--explain``: a row for each layer of generated C, its instructions, and why no better kernel runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgerig.cli import main
from edgerig.cli.explain_view import counted, explanation
from edgerig.micro import Options, compile_model
from edgerig.testing.networks.known_networks import digits
from edgerig.testing.networks.random_networks import RandomNetwork
from edgerig.testing.networks.tree_networks import random_trees


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution of three channels with ReLU, and one of stride 2 without."""
    network = RandomNetwork("int8", seed=3)
    x = network.value((1, 8, 8, 3), 0.03)
    first = network.conv(x, 8)
    second = network.conv(first, 8, stride=2, activation="NONE")
    path = tmp_path_factory.mktemp("explain") / "net.tflite"
    path.write_bytes(network.net.build([x.index], [second.index]))
    return path


@pytest.mark.slow
def test_the_table_has_a_row_for_each_layer_and_the_reasons(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("compile", net, "--to", "c", "--cpu", "cortex-m7", "--explain", "--out", tmp_path / "c") == 0
    lines = capsys.readouterr().err.splitlines()
    rows = {row[0]: row for row in (line.split() for line in lines) if row[:1] in (["0"], ["1"])}
    for index, known in (("0", ["1x8x8x3", "1x8x8x8", "13,824"]), ("1", ["1x8x8x8", "1x4x4x8", "9,216"])):
        assert rows[index][:2] == [index, "CONV_2D"]
        instructions, ratio, kernel = rows[index][-3:]
        macs = int(known[-1].replace(",", ""))
        assert rows[index][-4] == known[-1]
        assert ratio == f"{int(instructions.replace(',', '')) / macs:.2f}"
        assert 0.7 < float(ratio) < 3
        assert kernel == "conv-columns"
    assert "  layer 0, conv-winograd, conv-3x3: 3 channels, a multiple of 4 is needed" in lines
    assert "  layer 1, conv-winograd, conv-3x3: stride 2x2, 1x1 is needed" in lines
    total = sum(int(row[-3].replace(",", "")) for row in rows.values())
    assert any(line.startswith(f"{total:,} instructions, counted on a simulated Cortex-M7") for line in lines)
    assert any("edgerig bench NET.tflite --target sim:stm32f746" in line for line in lines)


def test_instructions_are_counted_of_code_in_a_folder_below_the_current_one(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # With a name of its own none of it comes from the cache of objects.
    words = ("--to", "c", "--cpu", "cortex-m7", "--name", "below", "--explain", "--out", "build/c", "--json")
    assert call("compile", net, *words) == 0
    layers = json.loads(capsys.readouterr().out)["artifacts"][0]["layers"]
    assert all(layer["instructions"] > 0.7 * layer["macs"] > 0 for layer in layers)


def test_json_has_the_layers_only_where_they_are_wanted(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("compile", net, "--to", "c", "--cpu", "cortex-m7", "--out", tmp_path / "c", "--json")
    assert call(*words) == 0
    assert "layers" not in json.loads(capsys.readouterr().out)["artifacts"][0]
    assert call(*words, "--explain") == 0
    first, second = json.loads(capsys.readouterr().out)["artifacts"][0]["layers"]
    assert (first["kernel"], first["macs"], first["inputs"]) == ("conv-columns", 13824, [[1, 8, 8, 3]])
    assert first["refusals"][0] == {"kernel": "conv-winograd", "reason": "3 channels, a multiple of 4 is needed"}
    assert [refusal["kernel"] for refusal in second["refusals"]] == ["conv-winograd", "conv-3x3"]
    assert 0.7 * 13824 < first["instructions"] < 3 * 13824
    assert call(*words[:5], "portable", *words[6:], "--explain") == 0
    layers = json.loads(capsys.readouterr().out)["artifacts"][0]["layers"]
    assert [layer["instructions"] for layer in layers] == [None, None]


def test_without_c_code_there_is_nothing_to_explain(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("compile", net, "--to", "c-array", "--explain", "--out", tmp_path / "a") == 2
    assert "Add --to c." in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_portable_code_says_that_other_cpus_have_faster_kernels(net: Path) -> None:
    manifest = compile_model(net.read_bytes(), "net", Options()).manifest
    lines = explanation(manifest, counted(Path(), manifest), 120)
    assert lines[-1].endswith(
        "they are counted for cortex-m0, cortex-m0plus, cortex-m23, cortex-m3, cortex-m4, cortex-m7, cortex-m33, "
        "cortex-m55, cortex-m85, rv32imc, not for the CPU portable."
    )
    (sentence,) = (line for line in lines if "For the CPU portable" in line)
    assert sentence.endswith(
        "others have faster ones for some of these layers: cortex-m7, cortex-m3, cortex-m0plus, rv32imc, simd."
    )
    assert not any(line.startswith("Better kernels") for line in lines)


def test_of_trees_it_says_that_no_cpu_has_faster_kernels() -> None:
    data = random_trees(np.random.default_rng(0), (0.0, 1.0), "SUM")
    manifest = compile_model(data, "net", Options(), "trees.onnx").manifest
    assert manifest.faster == ()
    (sentence,) = (line for line in explanation(manifest, "no", 120) if "For the CPU portable" in line)
    assert sentence.endswith("only portable kernels; no CPU has faster ones for these layers.")
    assert compile_model(digits(), "net", Options(cpu="cortex-m7")).manifest.faster == ()


def test_on_a_narrow_terminal_no_figure_is_cut() -> None:
    manifest = compile_model(digits(), "net", Options(cpu="cortex-m7")).manifest
    counts = [1_000 * index + 777 for index in range(len(manifest.layers))]
    text = "\n".join(explanation(manifest, counts, 40))
    for layer, count in zip(manifest.layers, counts, strict=True):
        assert f"{layer.macs:,}" in text
        assert f"{count:,}" in text
        assert layer.kernel in text


@pytest.mark.slow
def test_a_firmware_s_build_explains_its_network(net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("firmware", "build", "--board", "stm32f746", "--model", net, "--out", tmp_path / "fw", "--explain")
    assert call(*words) == 0
    assert "layer 1, conv-winograd, conv-3x3: stride 2x2, 1x1 is needed" in capsys.readouterr().err
    assert call(*words, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["board"] == "stm32f746"
    assert [layer["kernel"] for layer in document["layers"]] == ["conv-columns", "conv-columns"]


@pytest.mark.parametrize(
    ("dtype", "cpu", "told"),
    [
        ("float32", "cortex-m0plus", True),
        ("float32", "cortex-m4+nofp", True),
        ("float32", "rv32imc", True),
        ("float32", "cortex-m4", False),
        ("float32", "portable", False),
        ("int8", "cortex-m0plus", False),
    ],
)
def test_what_floats_cost_without_an_fpu_is_told(dtype: str, cpu: str, told: bool) -> None:
    manifest = compile_model(digits(dtype), "net", Options(cpu=cpu)).manifest
    lines = [line for line in explanation(manifest, "no", 120) if "FPU" in line]
    macs = f"{manifest.macs:,}"
    wanted = f"Note: {macs} of {macs} multiply-accumulates are in float32, and {cpu} has no FPU: "
    assert [line[: len(wanted)] for line in lines] == [wanted] * told


@pytest.mark.parametrize("explain", [True, False])
def test_compile_tells_it_once(explain: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = RandomNetwork("float32", seed=3)
    x = network.value((1, 4, 4, 2), 0.03)
    path = tmp_path / "net.tflite"
    path.write_bytes(network.net.build([x.index], [network.conv(x, 4).index]))
    words = ["--explain"] if explain else []
    assert call("compile", path, "--to", "c", "--cpu", "cortex-m3", *words, "--out", tmp_path / "c") == 0
    assert capsys.readouterr().err.count("cortex-m3 has no FPU") == 1
