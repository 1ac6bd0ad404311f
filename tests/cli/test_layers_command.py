"""``edgerig layers``: a bundle that was measured, in every format."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.command_line import Call, edgerig

from edgerig.cli import main
from edgerig.results.bundle import Bundle
from edgerig.testing.networks import dense_tflite


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense layer from 784 to 10, measured by LiteRT."""
    folder = tmp_path_factory.mktemp("layers")
    dense_tflite(folder / "a.tflite", 784, 10)
    short = ["--samples", "20", "--rounds", "1", "--seconds", "0"]
    with pytest.raises(SystemExit) as caught:
        main(["bench", str(folder / "a.tflite"), *short, "--out", str(folder / "run"), "-q"])
    assert not caught.value.code
    return folder / "run"


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs ``edgerig layers``: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        return edgerig(capfd, "layers", *arguments)

    return run


def test_the_row_of_a_layer_has_the_time_of_its_operators(call: Call, bundle: Path) -> None:
    code, out, err = call(bundle, "--json")
    assert code == 0, err
    document = json.loads(out)
    (cell,) = Bundle(bundle).result().cells
    assert [each["id"] for each in document["cells"]] == [cell.id]
    weighted = [row for row in document["rows"] if row["macs"]]
    assert [row["macs"] for row in weighted] == [784 * 10]
    assert weighted[0]["shape"] == [1, 10]
    assert weighted[0]["cells"][0]["mapped"] == ["order"]
    operators = [name for row in document["rows"] for name in row["cells"][0].get("operators", [])]
    assert isinstance(cell.layers, tuple)
    assert operators == [layer.op for layer in cell.layers]
    assert not document["unmapped"]


def test_every_format_has_the_same_rows(call: Call, bundle: Path, tmp_path: Path) -> None:
    document = json.loads(call(bundle, "--json")[1])
    names = [row["name"] for row in document["rows"]]
    assert [row["layer"] for row in csv.DictReader(io.StringIO(call(bundle, "--format", "csv")[1]))] == names
    assert call(bundle, "--format", "md")[1].count("\n") == len(names) + 2
    assert ".. list-table::" in call(bundle, "--format", "rst")[1]
    text = call(bundle)[1]
    assert all(name in text for name in names)
    assert "7,840" in text
    code, out, _ = call(bundle, "--out", tmp_path / "layers.md", "--json")
    assert code == 0
    assert json.loads(out) == document
    assert (tmp_path / "layers.md").read_text() == call(bundle, "--format", "md")[1]


def test_cells_of_two_bundles_stand_side_by_side_each_once(call: Call, bundle: Path, tmp_path: Path) -> None:
    (cell,) = Bundle(bundle).result().cells
    shutil.copytree(bundle, tmp_path / "other")
    document = json.loads(call(f"{bundle}#{cell.id}", tmp_path / "other", bundle, "--json")[1])
    assert [each["bundle"] for each in document["cells"]] == [str(bundle), str(tmp_path / "other")]
    assert all(row["cells"][0] == row["cells"][1] for row in document["rows"])
    text = call(bundle, tmp_path / "other")[1]
    assert f"B  {tmp_path / 'other'}#{cell.id}: " in text


def test_a_network_that_is_gone_leaves_its_layers(call: Call, bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    before = json.loads(call(copy, "--json")[1])
    shutil.rmtree(copy / "artifacts")
    assert json.loads(call(copy, "--json")[1]) == before


def test_a_network_that_is_gone_and_was_never_read_leaves_reasons(call: Call, bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    shutil.rmtree(copy / "artifacts")
    for path in copy.glob("cells/*/layer_map.json"):
        path.unlink()
    code, out, _ = call(copy, bundle, "--json")
    assert code == 0
    document = json.loads(out)
    assert "does not hold the network" in document["cells"][0]["reason"]
    assert {row["cells"][0]["time"]["is"] for row in document["rows"]} == {"unavailable"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("BUNDLE#nothing",), "nothing"),
        (("BUNDLE", "--only", "x*"), "None of its cells matches x*"),
        (("nowhere",), "There is no nowhere"),
        (("FILE",), "is no bundle"),
        (("BUNDLE", "--out", "x.txt"), "The format of x.txt is not known"),
        (("BUNDLE", "--json", "--format", "md"), "both want standard output"),
        ((), "Missing argument"),
    ],
)
def test_mistakes_get_one_message(call: Call, bundle: Path, arguments: tuple[str, ...], words: str) -> None:
    file = bundle.parent / "a.tflite"
    code, out, err = call(*(text.replace("BUNDLE", str(bundle)).replace("FILE", str(file)) for text in arguments))
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_cutting_tells_the_layers_with_their_intervals_and_keeps_them(call: Call, bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "run")
    code, out, err = call(tmp_path / "run", "--cut", "--cut-rounds", "3", "--json")
    assert code == 0, err
    document = json.loads(out)
    cuts = document["cells"][0]["cuts"]
    assert cuts["rounds"] == 3
    names = [layer["name"] for layer in cuts["layers"]]
    assert names == [row["name"] for row in document["rows"] if "cut" in row["cells"][0]]
    text = call(tmp_path / "run", "--cut", "--cut-rounds", "3")[1]
    assert "cut us" in text
    assert "A: times by cutting, 3 fresh processes of each cut in turns" in text
    assert "holds what an inference costs apart from any layer" in text
    assert json.loads(call(tmp_path / "run", "--cut", "--cut-rounds", "3", "--json")[1]) == document
    code, out, err = call(bundle, "--cut-rounds", "2")
    assert (code, out) == (2, "")
    assert "2 is not in the range x>=3" in err


def test_a_float_network_has_no_errors_and_says_why(call: Call, bundle: Path) -> None:
    code, out, err = call(bundle, "--errors", "--json")
    assert code == 0, err
    reasons = {row["cells"][0]["error"]["reason"] for row in json.loads(out)["rows"]}
    assert reasons == {"it is a float network itself"}
    code, out, _ = call(bundle, "--errors")
    assert code == 0
    assert "unavailable: it is a float network itself" in out


@pytest.mark.slow
def test_errors_are_measured_where_a_task_of_the_users_judges(call: Call, tmp_path: Path) -> None:
    """Regression keeps real values, no labels, and is not the dataset's own task."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 8)).astype(np.float32)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=x[:, :4], x_test=x[:20], y_test=x[:20, :4])
    own = ["--dataset", "npz", "--dataset-option", f"file={tmp_path / 'own.npz'}", "--task", "regression", "-q"]
    net, folder = str(dense_tflite(tmp_path / "a.tflite", 8, 4)), str(tmp_path / "build")
    quick = ["--rounds", "1", "--seconds", "0", "--out", str(tmp_path / "run")]
    for command in (
        ["compile", net, "--to", "int8", "--out", folder],
        ["bench", net, f"{folder}/a_int8.tflite", *quick],
    ):
        with pytest.raises(SystemExit) as caught:
            main([*command, *own])
        assert not caught.value.code
    code, out, err = call(tmp_path / "run", "--errors", "--json")
    assert code == 0, err
    (dense,) = (row for row in json.loads(out)["rows"] if row["macs"])
    assert 10 < dense["cells"][1]["error"]["sqnr"]["value"] < 100
