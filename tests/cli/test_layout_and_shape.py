"""``--layout``, ``--shape`` and ``--output``: what a file does not say is said on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from tests.command_line import Call, edgerig

from edgerig.artifact import Artifact, TensorSpec
from edgerig.cli.options import parse_shapes, parse_states
from edgerig.errors import UsageError
from edgerig.testing.networks import channel_means_tflite, two_output_tflite
from edgerig.testing.networks.onnx_networks import colour_images, torch_like_onnx, tree_onnx
from edgerig.testing.networks.recurrent import running_sum_onnx
from edgerig.testing.networks.several_ends import SCALES, integers_onnx, two_in_three_out_tflite

#: Options of bench: the pictures of the fixture ``photos``; and a short run whose results are printed.
PHOTOS = ("--dataset", "folder", "--dataset-option", "root=photos")
SHOWN = ("--no-profile", "--json")


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs ``edgerig`` in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        return edgerig(capfd, *arguments, *(("--rounds", "1", "--seconds", "0") if arguments[0] == "bench" else ()))

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of pictures for each class, larger than the networks take them."""
    images, labels = colour_images(60, (20, 20))
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / "photos" / "rgb"[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    return tmp_path / "photos"


def cells(out: str) -> Any:
    return json.loads(out)["cells"]


def classes_in_order(photos: Path) -> list[str]:
    return sorted(path.name for path in photos.iterdir())


@pytest.mark.slow
def test_a_network_of_pytorch_runs_on_a_folder_of_photos(call: Call, photos: Path) -> None:
    torch_like_onnx(Path("net.onnx"), (1, 3, 16, 16))
    code, out, err = call("bench", "net.onnx", "--layout", "nchw", *PHOTOS, *SHOWN)
    assert code == 0, err
    (cell,) = cells(out)
    # Classes are b, g, r in the folder's order and r, g, b in the network's: green alone is right.
    assert classes_in_order(photos) == ["b", "g", "r"]
    assert cell["quality"]["confusion"] == [[0, 0, 4], [0, 4, 0], [4, 0, 0]]
    assert cell["artifact"]["inputs"][0]["layout"] == "nchw"
    assert "channels first (nchw)" in err
    assert "nchw" in Path("runs/bench-net/report.md").read_text()


def test_a_layout_that_cannot_be_is_told(call: Call, photos: Path) -> None:
    torch_like_onnx(Path("net.onnx"), (1, 3, 16, 16))
    code, _, err = call("bench", "net.onnx", "--layout", "nhwc", *PHOTOS, "--dataset-option", "size=16")
    assert code == 2
    assert "channels last (nhwc)" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_free_axes_ask_for_a_shape_and_random_samples_follow_it(call: Call) -> None:
    torch_like_onnx(Path("net.onnx"), ("N", 3, "height", "width"))
    code, _, err = call("bench", "net.onnx", "--no-profile")
    assert code == 2
    assert "--shape input.1=1,3,?,?" in err
    code, out, err = call("bench", "net.onnx", "--no-profile", "--samples", "5", "--shape", "2,3,5,7", "--json")
    assert code == 0, err
    (cell,) = cells(out)
    assert (cell["batch"], cell["artifact"]["inputs"][0]["shape"]) == (2, [2, 3, 5, 7])
    assert "batch of 2 samples" in err


def rig_of(folder: str) -> Any:
    """The rig of the bundle in ``folder``."""
    return json.loads((Path(folder) / "bundle.json").read_text())["rig"]


def scalar_onnx(path: Path) -> None:
    """``y = x + 1`` of a single number."""
    number = [helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in "xy"]
    one = helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])
    graph = helper.make_graph([helper.make_node("Add", ["x", "one"], ["y"])], "g", number[:1], number[1:], [one])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def test_a_single_number_is_refused_once_and_by_name(call: Call) -> None:
    scalar_onnx(Path("scalar.onnx"))
    code, _, err = call("bench", "scalar.onnx", "--samples", "5", "--no-profile")
    said = "takes a single number, 'x'"
    assert (code, err.count(said), "FAILED" in err) == (2, 1, False), err
    assert not Path("runs").exists()


@pytest.mark.slow
def test_several_inputs_are_fed_with_random_numbers_by_name(call: Call) -> None:
    two_in_three_out_tflite(Path("net.tflite"), int8=True)
    code, out, err = call("bench", "net.tflite", "--task", "none", "--samples", "20", "--json")
    assert code == 0, err
    (cell,) = cells(out)
    assert [spec["name"] for spec in cell["artifact"]["inputs"]] == ["left", "right"]
    assert [spec["name"] for spec in cell["artifact"]["outputs"]] == ["first", "second", "third"]
    assert not any("clamped" in text or "coarse for them" in text for text in cell["warnings"])
    for name, (scale, zero_point) in {name: SCALES[name] for name in ("left", "right")}.items():
        about = rig_of("runs/bench-net")["dataset"]["options"]["inputs"][name]
        assert about["low"] == pytest.approx(scale * (-128 - zero_point))
        assert about["high"] == pytest.approx(scale * (127 - zero_point))


@pytest.mark.slow
def test_integers_have_a_range_that_can_be_named(call: Call) -> None:
    integers_onnx(Path("net.onnx"), "N")
    quick = ("bench", "net.onnx", "--task", "none", "--samples", "20", *SHOWN)
    code, _, err = call(*quick)
    assert code == 0, err
    inputs = rig_of("runs/bench-net")["dataset"]["options"]["inputs"]
    assert inputs == {"ids": {"shape": [5], "dtype": "int64"}, "flags": {"shape": [4], "dtype": "bool"}}
    code, out, err = call(*quick, "--range", "ids=0,9", "--shape", "ids=2,5", "--shape", "flags=2,4")
    assert code == 0, err
    assert cells(out)[0]["batch"] == 2
    for wrong, said in (("ids=9", "NAME=LOW,HIGH"), ("0,9", "of which input"), ("words=0,9", "no such input")):
        code, _, err = call(*quick, "--range", wrong)
        assert (code, said in err) == (2, True), err
    two_in_three_out_tflite(Path("other.tflite"))
    code, _, err = call("bench", "net.onnx", "other.tflite", "--samples", "5")
    assert (code, "no random sample fits both" in err) == (2, True), err


@pytest.mark.slow
def test_the_judged_output_is_said_and_may_be_named(call: Call) -> None:
    two_output_tflite(Path("net.tflite"))
    code, out, err = call("bench", "net.tflite", "--samples", "5", *SHOWN)
    assert code == 0, err
    assert cells(out)[0]["quality"]["output"] is None
    assert "alone" not in err
    code, out, err = call("bench", "net.tflite", "--samples", "5", *SHOWN, "--output", "b")
    assert code == 0, err
    assert cells(out)[0]["quality"]["output"] == "b"
    assert "output 'b' alone; the network also gives a" in err
    code, _, err = call("bench", "net.tflite", "--samples", "5", "--output", "c")
    assert code == 2
    assert "outputs" in err or "output" in err


@pytest.mark.slow
def test_calibration_takes_the_layout_and_the_description_keeps_it(call: Call, photos: Path) -> None:
    images, labels = colour_images(30, (3, 3))
    np.savez("square.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    torch_like_onnx(Path("net.onnx"), (1, 3, 3, 3))
    calibrate = ("compile", "net.onnx", "--to", "onnx-int8", "--dataset", "npz", "--dataset-option", "file=square.npz")
    code, _, err = call(*calibrate)
    assert code != 0
    assert "both channels last and channels first" in err
    code, _, err = call(*calibrate, "--layout", "nchw")
    assert code == 0, err
    made = Path("build/net_onnx_int8.onnx")
    assert Artifact.load(made.with_name(made.name + ".json")).inputs[0].layout == "nchw"
    code, out, err = call("bench", str(made), "--dataset", "npz", "--dataset-option", "file=square.npz", *SHOWN)
    assert code == 0, err
    assert cells(out)[0]["quality"]["metrics"][0]["value"] == 1.0


def test_free_axes_are_set_for_calibration(call: Call) -> None:
    images, labels = colour_images(30, (5, 7))
    np.savez("d.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    torch_like_onnx(Path("net.onnx"), ("N", 3, "height", "width"))
    calibrate = ("compile", "net.onnx", "--to", "onnx-int8", "--dataset", "npz", "--dataset-option", "file=d.npz")
    code, _, err = call(*calibrate)
    assert code != 0
    assert "--shape" in err
    code, _, err = call(*calibrate, "--shape", "input.1=1,3,5,7")
    assert code == 0, err


def test_inspect_shows_layout_free_axes_and_what_is_not_read(call: Call) -> None:
    torch_like_onnx(Path("net.onnx"), ("N", 3, "height", "width"))
    code, out, _ = call("inspect", "net.onnx")
    assert code == 0
    assert "input.1  float32 1x3x?x?, nchw by its shape" in out
    tree_onnx(Path("tree.onnx"), zipmap=True)
    code, out, _ = call("inspect", "tree.onnx")
    assert code == 0
    assert "output_probability: seq(map(int64,tensor(float))), which is neither read nor compared" in out
    assert json.loads(call("inspect", "tree.onnx", "--json")[1])["left_out"]


SPEC = TensorSpec("x", (1, -1), "float32")


def test_shapes_are_read_by_name_or_for_the_only_input() -> None:
    assert parse_shapes(["x=1, 3,4"], [[SPEC]]) == {"x": [1, 3, 4]}
    assert parse_shapes(["1,3"], [[SPEC]]) == {"x": [1, 3]}
    assert parse_shapes(["x=1x3x4"], [[SPEC]]) == parse_shapes(["1x3x4"], [[SPEC]]) == {"x": [1, 3, 4]}
    assert parse_shapes(["a=b=1"], [[SPEC]]) == {"a=b": [1]}


@pytest.mark.parametrize("text", ["x=1,a", "x=", "x=1,,2", "x=0,2", "x=-1,2", "x=1.5", "x=1xx2", "", "x=１"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shape"):
        parse_shapes([text], [[SPEC]])


def test_a_shape_without_a_name_needs_a_single_input() -> None:
    with pytest.raises(UsageError, match="of which input"):
        parse_shapes(["1,2"], [[SPEC, SPEC]])


@pytest.mark.slow
def test_files_of_both_layouts_run_together(call: Call, photos: Path) -> None:
    """What is declared holds for the file that it fits; the random sample fits both."""
    torch_like_onnx(Path("first.onnx"), (1, 3, 16, 16))
    nhwc_onnx(Path("last.onnx"))
    code, out, err = call("bench", "first.onnx", "last.onnx", "--layout", "nchw", *PHOTOS, *SHOWN)
    assert code == 0, err
    assert [cell["quality"]["confusion"] for cell in cells(out)] == 2 * [[[0, 0, 4], [0, 4, 0], [4, 0, 0]]]
    code, _, err = call("bench", "first.onnx", "last.onnx", "--samples", "3", "--no-profile")
    assert code == 0, err


@pytest.mark.slow
def test_a_reference_of_the_other_layout_is_compared_rightly(call: Call, photos: Path) -> None:
    torch_like_onnx(Path("first.onnx"), (1, 3, 16, 16))
    nhwc_onnx(Path("last.onnx"))
    channel_means_tflite(Path("means.tflite"), (1, 3, 16, 16))
    for reference in ("last.onnx", "means.tflite"):
        code, out, err = call("bench", "first.onnx", "--layout", "nchw", "--reference", reference, *PHOTOS, *SHOWN)
        assert code == 0, err
        assert cells(out)[0]["agreement"]["same_class"] == 1.0


def nhwc_onnx(path: Path) -> None:
    """The mean of each channel of images of 16 by 16 pixels, channels last."""
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[1, 2], keepdims=0)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 16, 16, 3]), ("y", [1, 3]))]
    graph = helper.make_graph([node], "net", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), str(path))


@pytest.mark.slow
def test_state_is_said_of_a_network_that_hands_it_out(call: Call, tmp_path: Path) -> None:
    running_sum_onnx(tmp_path / "sum.onnx")
    words = ("bench", "sum.onnx", "--samples", "5", "--warmup", "1", *SHOWN, "--out", "run")
    code, out, _ = call(*words, "--state", "before=next")
    assert code == 0
    (cell,) = cells(out)
    assert cell["artifact"]["state"] == {"before": "next"}
    assert [spec["name"] for spec in cell["artifact"]["inputs"]] == ["x"]
    code, _, error = call(*words, "--state", "after=next")
    assert code != 0
    assert "'after' is no input; there are x, before" in error


@pytest.mark.parametrize("said", ["before", "=next", "before="])
def test_state_without_both_names_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match="write it as INPUT=OUTPUT"):
        parse_states([said])
