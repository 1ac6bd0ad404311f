"""``edgerig bench``: the options become a rig, and the JSON document is all that standard output has."""

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.command_line import edgerig

from edgerig.cli import main
from edgerig.errors import Interrupted
from edgerig.testing.networks import dense_onnx, dense_tflite
from edgerig.testing.networks.tflite_builder import TfliteBuilder


@pytest.fixture
def call(capfd, tmp_path, monkeypatch):
    """Runs ``edgerig bench`` in a folder with a small network: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    dense_tflite(tmp_path / "net.tflite", 8, 4)
    short = ("--samples", "8", "--rounds", "1", "--seconds", "0", "--no-profile")
    return partial(edgerig, capfd, "bench", "net.tflite", *short)


def test_settings_of_the_target_become_part_of_the_rig(call, monkeypatch):
    made = []

    def plan(rig, **_):
        made.append(rig)
        raise Interrupted("Enough.")

    monkeypatch.setattr("edgerig.engine.api.plan", plan)
    call("--target", "local", "--target", "unix:///x", "--target-option", "timeout=33")
    (block,) = made[0]["matrix"]
    assert block["targets"] == [{"use": "local", "timeout": 33}, {"use": "unix:///x", "timeout": 33}]


@pytest.mark.slow
def test_one_document_goes_to_standard_output_and_the_rest_to_standard_error(call):
    code, out, err = call("--json")
    assert code == 0, err
    (cell,) = json.loads(out)["cells"]
    assert cell["runtime"] == "litert"
    assert "local" in err


@pytest.mark.slow
def test_a_report_that_cannot_be_written_hides_nothing_that_was_measured(call, tmp_path):
    code, _, err = call("--out", "kept")
    assert code == 0, err
    (tmp_path / "kept" / "report.json").unlink()
    (tmp_path / "kept" / "report.json").mkdir()
    code, out, err = call("--out", "kept", "--resume", "--json")
    assert (code, len(json.loads(out)["cells"])) == (1, 1)
    assert "net-litert-local" in err
    assert "Could not write kept/report.json" in err


@pytest.mark.slow
def test_open_hands_the_page_to_the_browser_when_it_is_written(call, tmp_path, monkeypatch):
    opened: list[tuple[str, bool]] = []
    monkeypatch.setattr("click.launch", lambda file: opened.append((file, Path(file).is_file())))
    code, _, err = call("--open", "--out", "shown")
    assert code == 0, err
    assert opened == [(str(tmp_path / "shown" / "report.html"), True)]


def test_setting_that_the_target_does_not_have_is_told_before_anything_runs(call, tmp_path):
    code, out, err = call("--target-option", "bout=9600", "--json")
    assert (code, out) == (2, "")
    assert "bout" in err
    assert not (tmp_path / "runs").exists()


def test_target_that_there_is_not_is_told(call):
    code, _, err = call("--target", "sim:stm32f999")
    assert code != 0
    assert "stm32f999" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_several_files_are_variants_of_one_run(call, tmp_path):
    dense_tflite(tmp_path / "b.tflite", 8, 4, seed=1)
    code, out, err = call("b.tflite", "--json", "--out", "two")
    assert code == 0, err
    document = json.loads(out)
    assert [cell["id"] for cell in document["cells"]] == ["net-litert-local", "b-litert-local"]
    assert document["name"] == "bench-net-b"
    for text in (err, (tmp_path / "two/report.html").read_text(), (tmp_path / "two/report.md").read_text()):
        assert "net" in text
        assert "b-litert-local" in text or "b · litert" in text
    assert document == json.loads((tmp_path / "two" / "results.json").read_text())


def test_files_of_several_formats_run_on_the_engine_of_each(call, tmp_path):
    dense_onnx(tmp_path / "net.onnx", 8, 4)
    code, out, err = call("net.onnx", "--json", "--dry-run")
    assert code == 0, err
    cells = [(cell["id"], cell["runtime"]) for cell in json.loads(out)["cells"]]
    assert cells == [("net.tflite-litert-local", "litert"), ("net.onnx-onnxruntime-local", "onnxruntime")]
    assert not (tmp_path / "runs").exists()
    code, out, _ = call("net.onnx", "--json", "--dry-run", "--runtime", "tflm", "--runtime", "onnxruntime")
    assert [cell["runtime"] for cell in json.loads(out)["cells"]] == ["tflm", "onnxruntime"]


@pytest.mark.slow
def test_one_of_several_can_be_chosen(call, tmp_path):
    dense_tflite(tmp_path / "b.tflite", 8, 4, seed=1)
    code, out, err = call("b.tflite", "--only", "b-*", "--json")
    assert code == 0, err
    assert [cell["variant"] for cell in json.loads(out)["cells"]] == ["b"]
    code, _, err = call("b.tflite", "--only", "c-*")
    assert code == 2
    assert "b-litert-local" in err


def test_networks_that_no_random_sample_fits_are_told_before_anything_runs(call, tmp_path):
    dense_tflite(tmp_path / "b.tflite", 9, 4)
    code, _, err = call("b.tflite")
    assert code != 0
    assert "no random sample fits both" in err
    assert not (tmp_path / "runs").exists()


def test_one_file_twice_is_told(call):
    code, _, err = call("./net.tflite")
    assert code == 2
    assert "twice" in err


@pytest.mark.parametrize("count", ["0", "-5", "many"])
def test_a_number_of_samples_that_is_none_is_refused(call, tmp_path, count):
    code, out, err = call("--samples", count)
    assert (code, out) == (2, "")
    assert "--samples" in err
    assert not (tmp_path / "runs").exists()


def test_the_reason_of_a_failure_is_told_once_and_by_the_users_file_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = TfliteBuilder()
    # A float network would be its own reference, and fail as that, too.
    x, y = (net.tensor(name, (1, 2), "int8", scale=0.5) for name in "xy")
    net.tensor("odd", (2,), "int32", np.array([1, 2]), [0.1, 0.2], axis=3)
    net.operator("RELU", [x], [y])
    path = tmp_path / "mine.tflite"
    path.write_bytes(net.build([x], [y]))
    with pytest.raises(SystemExit) as caught:
        main(
            [
                "bench",
                str(path),
                "--runtime",
                "litert",
                "--samples",
                "2",
                "--rounds",
                "1",
                "--out",
                str(tmp_path / "out"),
            ]
        )
    assert caught.value.code == 1
    err = capsys.readouterr().err
    assert err.count("litert cannot load mine.tflite: ValueError: quantized_dimension") == 1
    assert err.count("quantized_dimension") == 1
    assert hashlib.sha256(path.read_bytes()).hexdigest()[:12] not in err


@pytest.mark.parametrize("text", ["0", "-1", "many", "2.5", ""])
def test_a_number_of_rounds_that_is_none_is_refused(call, text):
    code, _, err = call("--rounds", text)
    assert code == 2
    assert f"{text!r} is neither a number of 1 or more nor 'auto'" in err


def test_rounds_are_measured_as_often_as_asked_for(call):
    code, out, err = call("--rounds", "2", "--json")
    assert code == 0, err
    (cell,) = json.loads(out)["cells"]
    assert [entry["number"] for entry in cell["rounds"]] == [1, 2]
    assert cell["repetition"]["planned"] == 2
    assert cell["latency"]["steady"]["low"] <= cell["latency"]["steady"]["value"] <= cell["latency"]["steady"]["high"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scenario", "offline", "--batch", "0"), "batch"),
        (("--scenario", "offline", "--batch", "-1"), "batch"),
        (("--scenario", "offline"), "say how many, such as batch: 8"),
        (("--batch", "4"), "single-stream takes one sample after another"),
        (("--scenario", "offline", "--batch", "9"), "batch: 9 is larger than the 8 samples"),
        (("--scenario", "several"), "'single-stream', 'offline', 'streams', 'server'"),
        (("--scenario", "streams"), "say how many, such as streams: 4"),
        (("--scenario", "server"), "needs a rate of arrivals"),
        (("--scenario", "server", "--rate", "0"), "not above 0"),
        (("--scenario", "server", "--latency-bound", "soon"), "no time, such as 50 ms"),
        (("--streams", "2"), "this one is single-stream"),
    ],
)
def test_scenarios_that_cannot_be_are_refused(call, tmp_path, arguments, words):
    code, _, err = call(*arguments)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_the_offline_scenario_is_in_the_document(call):
    code, out, err = call("--scenario", "offline", "--batch", "8", "--json")
    assert code == 0, err
    (cell,) = json.loads(out)["cells"]
    offline = cell["offline"]
    assert (cell["batch"], offline["batch"], offline["inferences"]) == (8, 8, 1)
    assert offline["throughput"]["unit"] == "1/s"
    assert offline["throughput"]["value"] * offline["per_batch"]["value"] == pytest.approx(8)
    assert offline["agreement"]["same_class"] == 1.0


@pytest.mark.slow
def test_streams_are_in_the_document_and_on_the_terminal(call):
    code, out, err = call("--scenario", "streams", "--streams", "2", "--rounds", "1", "--load-seconds", "0.1", "--json")
    assert code == 0, err
    (cell,) = json.loads(out)["cells"]
    load = cell["under_load"]
    assert (load["scenario"], load["streams"], len(load["rounds"])) == ("streams", 2, 1)
    assert load["throughput"]["unit"] == "1/s"
    assert load["latency"]["p50"]["clock"] == "host perf_counter_ns"
    assert "Under load, 2 sessions at once" in err


def test_settings_of_the_task_become_part_of_the_rig(call, monkeypatch):
    made = []

    def plan(rig, **_):
        made.append(rig)
        raise Interrupted("Enough.")

    monkeypatch.setattr("edgerig.engine.api.plan", plan)
    call("--task", "anomaly", "--task-option", "score=output", "--task-option", "inputs=[b, a]")
    assert made[0]["task"] == {"use": "anomaly", "score": "output", "inputs": ["b", "a"]}
    call("--task", "none")
    assert made[1]["task"] == "none"


def test_wrong_settings_of_the_task_are_refused_as_in_a_rig_file(call):
    code, _, error = call("--task", "streaming", "--task-option", "hop=0.1", "--task-option", "treshold=1")
    assert code != 0
    assert "threshold" in error
    code, _, error = call("--task", "streaming", "--task-option", "hop=fast")
    assert code != 0
    assert "hop" in error
    code, _, error = call("--task-option", "threshold=1")
    assert code != 0
    assert "--task NAME" in error
    code, _, error = call("--task", "anomaly", "--task-option", "threshold")
    assert code != 0
    assert "key=value" in error
    assert not Path("runs").exists()


def test_provider_that_the_wheel_lacks_is_refused_by_name(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dense_onnx(tmp_path / "net.onnx")
    with pytest.raises(SystemExit) as caught:
        main(["bench", "net.onnx", "--runtime", "onnxruntime", "--runtime-option", "provider=CUDAExecutionProvider"])
    err = capfd.readouterr().err
    assert caught.value.code == 1
    assert "cannot use CUDAExecutionProvider: it has" in err
    assert "CPUExecutionProvider" in err


@pytest.mark.slow
def test_delegate_is_a_setting_of_the_runtime_and_what_it_took_is_in_the_document(call, tmp_path, delegate_library):
    (tmp_path / "libtest_delegate.so").write_bytes(delegate_library.read_bytes())
    net = TfliteBuilder()
    x, total = net.tensor("x", (1, 8), "float32"), net.tensor("total", (1, 8), "float32")
    net.operator("ADD", [x, x], [total])
    (tmp_path / "net.tflite").write_bytes(net.build([x], [total]))
    code, out, err = call("--runtime", "litert", "--runtime-option", "delegate=./libtest_delegate.so", "--json")
    assert code == 0, err
    (cell,) = json.loads(out)["cells"]
    (group,) = cell["census"]["operators"]
    assert (group["op"], group["placement"]) == ("ADD", "libtest_delegate.so")
    assert not [text for text in cell["warnings"] if "was asked for" in text]


def test_delegate_that_takes_nothing_is_an_error_that_names_it(call, delegate_library):
    option = ["--runtime-option", f"delegate={delegate_library}"]
    code, _, err = call("--runtime", "litert", *option)
    assert code == 1
    assert "libtest_delegate.so was asked for: 2 of 2 operators ran on XNNPACK." in " ".join(err.split())
    assert "fallback=allow" in err


def planned(call, monkeypatch, *arguments):
    """The rig that the options describe, or the message; nothing is run."""
    made = []

    def plan(rig, **_):
        made.append(rig)
        raise Interrupted("Enough.")

    monkeypatch.setattr("edgerig.engine.api.plan", plan)
    code, _, err = call(*arguments)
    return made[0]["matrix"] if made else (code, err)


def test_compilers_and_chains_become_blocks_with_the_runtime_of_what_they_make(call, monkeypatch):
    chains = ["--compile", "onnx", "--compile", "none", "--compile", "onnx", "--compile", "onnx+onnx-int8"]
    blocks = planned(call, monkeypatch, *chains)
    assert [block.get("compilers") for block in blocks] == [
        [{"use": "onnx"}],
        ["none"],
        [[{"use": "onnx"}, {"use": "onnx-int8"}]],
    ]
    assert [block["runtimes"][0]["use"] for block in blocks] == ["onnxruntime", "litert", "onnxruntime"]


def test_settings_go_to_the_compilers_that_have_them(call, monkeypatch):
    options = ["--compile-option", "calibration_samples=9", "--compile-option", "int8.input_type=uint8"]
    (first, second) = planned(call, monkeypatch, "--compile", "int8", "--compile", "float32+int8", *options)
    int8 = {"use": "int8", "calibration_samples": 9, "input_type": "uint8"}
    assert first["compilers"] == [int8]
    assert second["compilers"] == [[{"use": "float32"}, int8]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--compile-option", "share=0.5"], "--compile-option is a setting of a compiler that is not named"),
        (["--compile", "int8", "--compile-option", "shar=0.5"], "setting of int8"),
        (["--compile", "int9"], "Did you mean 'int8'?"),
        (["--compile", "int8+"], "'int8+' names an empty compiler"),
        (["--compile", "int8+float16"], "float16 cannot follow int8"),
        (["--compile", "c-array+prune"], "prune cannot follow c-array: compiler 'prune' reads keras or torch, not c-"),
        (["--compile", "int8+c-array"], "int8+c-array makes c-array files, of which there is no usual runtime"),
    ],
)
def test_compilers_that_cannot_be_are_refused(call, arguments, words):
    code, _, err = call(*arguments)
    assert code == 2
    assert words in " ".join(err.split())


@pytest.mark.slow
def test_what_was_compiled_is_measured_beside_the_file(call):
    code, out, err = call("--compile", "none", "--compile", "float32+float16", "--json")
    assert code == 0, err
    ids = [cell["id"] for cell in json.loads(out)["cells"]]
    assert ids == ["net-litert-local", "float32+float16-litert-local"]
