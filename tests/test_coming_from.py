"""The pages for users of other systems name every command, option and file of theirs, and only commands of ours."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgerig.cli import COMMANDS, cli

FOLDER = Path(__file__).parent.parent / "docs" / "coming-from"

#: What the documentation of each system tells its users to type, set or look for.
THEIRS = {
    "edge-ai-tester": (
        "model_training inference_performance inference_client inference_server onnx_conversion --logdir "
        "--dataset-root --model-path --batch-size --learning-rate --num-epochs report-name --model-framework --target "
        "--compiled-model-path --inference-input-type --inference-output-type --host --port --packet-size "
        "--save-model-path --inference-batch-size --verbosity --delegates-list --converters-list form_argparse "
        "from_argparse PetDataset TensorFlowPetDatasetMobileNetV2 TFLiteCompiler TFLiteRuntime NetworkProtocol "
        "ONNXConversion RuntimeProtocol ModelWrapper ModelCompiler MODEL DATA PROCESS OUTPUT STATS OK ERROR RST tvm"
    ),
    "mllib": (
        "datasets networks classify segment target serve utils TensorRT ONNX COCO creds.json cert_verify cert_path "
        "dataset_filter bucket prefix microk8s kubectl Docker Jupyter Coral Raspberry Jetson webcam similarity "
        "confusion base64 Argo Airflow"
    ),
    "mlperf-jetson": (
        "sdkmanager JETSON_NANO_TARGETS /dev/ttyTHS1 /dev/ttyGS0 dtc serial-getty@ttyS0.service "
        "serial-getty@ttyGS0.service nvgetty.service saved_model_cli kws_ref_model bogomips functional_1"
    ),
    "mnist-cloud-server": (
        "TfliteServer SERVER_IP SERVER_PORT SSID SSID_PASSWD esp8266-tf-client.ino MS_CONST TEST START= STOP "
        "tcp-stress-tool 3180 96 jupyter 32001"
    ),
    "stm32-mnist": (
        "export-to-tflite.py OPTIMIZE_FOR_SIZE OPTIMIZED_UINT8 xxd CLEANBUILD USE_HAL_DRIVER USE_CORTEX_NN SRC= "
        "build.sh CMD=1 CMD=2 MnistDigitDraw FbComm MnistProt fb_comm_test.cpp schema.fbs "
        "digit.h renode 288 depthwise_conv.cc 151312 cycles/MACC GDB"
    ),
}


@pytest.mark.parametrize("page", THEIRS)
def test_a_page_names_what_its_users_know(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    missing = [word for word in THEIRS[page].split() if word.lower() not in text.lower()]
    assert not missing, f"docs/coming-from/{page}.md says nothing of {', '.join(missing)}"


@pytest.mark.parametrize("page", THEIRS)
def test_what_a_page_says_is_here_is_there(page: str) -> None:
    """Every ``edgerig ...`` in running text and tables is a command, with the options that it is shown with."""
    for span in re.findall(r"`(edgerig [^`]+)`", (FOLDER / f"{page}.md").read_text()):
        words = shlex.split(span.replace("...", ""))
        path, rest = [], words[1:]
        while rest and not rest[0].startswith("-") and (not path or (path[0] in ("firmware", "agent"))):
            path.append(rest.pop(0))
            if len(path) == 2:
                break
        if not path:
            continue
        assert path[0] in COMMANDS, span
        if path[0] == "agent" and path[1:] not in ([], ["keys"]):
            path = path[:1]
        text = CliRunner().invoke(cli, [*path, "--help"], terminal_width=200).output
        for option in (word.split("=")[0] for word in words if word.startswith("-") and word != "-"):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text), f"{span}: {option}"


def test_the_index_names_every_page() -> None:
    text = (FOLDER / "index.md").read_text()
    pages = {page.stem for page in FOLDER.glob("*.md")} - {"index"}
    assert pages == set(THEIRS)
    for page in pages:
        assert f"]({page}.md)" in text
