"""Exported workflows: read by the engines' own models, and run by Airflow itself where there is one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.needs import need_module
from tests.suites.workflow.conftest import TWO_STEPS, Bench

from edgerig.errors import UsageError
from edgerig.files import sha256_file
from edgerig.suites.workflow.export import export_workflow
from edgerig.suites.workflow.load import load_workflow

#: The interpreter of an environment with Airflow (docs/workflow.md says how to make one).
AIRFLOW = os.environ.get("EDGERIG_TEST_AIRFLOW")
KUBERNETES = "1.31"
STORE = "s3://lab/results"
TEXT = """
name: street
parameters: {epochs: 3, start: 0, name: "it's $(HOME) {{x}}", fast: false}
steps:
  train:
    run: train unet --dataset nuclei --epochs ${epochs} --out model
    outputs: {model: model/unet.keras}
    when: start < 1 and not fast
    retries: 3
    wait: 30 s
  look:
    run: inspect ${inputs.net} --json
    inputs: {net: train.model, own: net.tflite}
  test:
    run: bench ${inputs.net} --dataset nuclei --out bundle
    inputs: {net: train.model, rig: sub/rig.yaml}
    outputs: {bundle: bundle}
    after: look
"""


def export(bench: Bench, engine: str, **options: Any) -> dict[str, str]:
    (bench.folder / "sub").mkdir(exist_ok=True)
    (bench.folder / "sub" / "rig.yaml").write_text("model: x\n")
    workflow = load_workflow(bench.write(TEXT))
    paths = export_workflow(workflow, engine, bench.folder / engine, **options)
    return {path.name: path.read_text() for path in paths}


@pytest.mark.slow
def test_argo_reads_every_key_of_the_workflow(bench: Bench) -> None:
    need_module("hera.workflows.models", "hera")
    from hera.workflows.models import Workflow

    manifest = yaml.safe_load(export(bench, "argo", store=STORE, image="registry/edgerig:1")["street.yaml"])
    # The models drop what they do not know: whatever comes out again is known, and of its type.
    understood = Workflow.model_validate(manifest)
    assert understood.model_dump(by_alias=True, exclude_none=True, mode="json") == manifest
    manifest["spec"]["templates"][1]["retryStratgy"] = {}
    assert Workflow.model_validate(manifest).model_dump(by_alias=True, exclude_none=True, mode="json") != manifest


def test_an_argo_workflow_has_parameters_conditions_retries_and_an_order(bench: Bench) -> None:
    spec = yaml.safe_load(export(bench, "argo", store=STORE)["street.yaml"])["spec"]
    assert {entry["name"]: entry["value"] for entry in spec["arguments"]["parameters"]} == {
        "epochs": "3", "start": "0", "name": "it's $(HOME) {{x}}", "fast": "false",
    }  # fmt: skip
    tasks = {task["name"]: task for task in spec["templates"][0]["dag"]["tasks"]}
    assert tasks["train"]["when"] == "({{workflow.parameters.start}} < 1) && (!({{workflow.parameters.fast}}))"
    assert tasks["test"]["dependencies"] == ["train", "look"]
    templates = {template["name"]: template for template in spec["templates"]}
    assert templates["train"]["retryStrategy"]["limit"] == "3"
    assert templates["train"]["retryStrategy"]["backoff"] == {"duration": "30s"}
    assert "retryStrategy" not in templates["test"]
    assert templates["test"]["synchronization"] == {"mutexes": [{"name": "edgerig-measures"}]}
    words = templates["test"]["container"]["args"]
    assert words[: words.index("--param")] == (
        f"workflow run /workflow/w.yaml --only test --retries 0 --out /work/out --store {STORE}".split()
    )
    assert "epochs={{workflow.parameters.epochs}}" in words


def test_the_files_that_steps_read_go_along(bench: Bench) -> None:
    files = yaml.safe_load(export(bench, "argo", store=STORE)["street-files.yaml"])
    assert files["data"]["w.yaml"] == TEXT
    assert files["data"]["sub__rig.yaml"] == "model: x\n"
    assert set(files["binaryData"]) == {"net.tflite"}
    pod = yaml.safe_load(export(bench, "argo", store=STORE)["street.yaml"])["spec"]
    paths = {item["key"]: item["path"] for item in pod["volumes"][0]["configMap"]["items"]}
    assert paths == {"w.yaml": "w.yaml", "sub__rig.yaml": "sub/rig.yaml", "net.tflite": "net.tflite"}
    assert set(paths) == files["data"].keys() | files["binaryData"].keys()


def test_what_is_too_large_to_go_along_is_said(bench: Bench) -> None:
    (bench.folder / "net.tflite").write_bytes(bytes(2_000_000))
    exported = export(bench, "argo", store=STORE)
    assert "needed in the image or in a store" in exported["street.yaml"]
    assert "binaryData" not in yaml.safe_load(exported["street-files.yaml"])


def test_jobs_are_what_kubernetes_takes_and_start_in_their_order(bench: Bench) -> None:
    need_module("kubernetes_validate", "kubernetes-validate")
    import kubernetes_validate

    exported = export(bench, "job", store=STORE)
    script = exported.pop("run.sh")
    manifests = {name: yaml.safe_load(text) for name, text in exported.items()}
    assert list(manifests) == ["00-files.yaml", "01-train.yaml", "02-look.yaml", "03-test.yaml"]
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    train = manifests["01-train.yaml"]
    assert train["spec"]["backoffLimit"] == 3
    container = train["spec"]["template"]["spec"]["containers"][0]
    # $$( is a plain $( to Kubernetes.
    assert "name=it's $$(HOME) {{x}}" in container["args"]
    steps = [line.split()[1:] for line in script.splitlines() if line.startswith("step ")]
    assert steps == [[name, manifests[name]["metadata"]["name"]] for name in list(manifests)[1:]]
    subprocess.run(["sh", "-n", str(bench.folder / "job" / "run.sh")], check=True)
    assert os.access(bench.folder / "job" / "run.sh", os.X_OK)


@pytest.mark.parametrize("store", [None, "results", "memory://"])
def test_pods_need_a_store_that_they_reach(bench: Bench, store: str | None) -> None:
    with pytest.raises(UsageError, match="a folder of this machine is none for them") as caught:
        export(bench, "argo", store=store)
    assert "s3://" in str(caught.value)


def test_a_dag_file_is_plain_python_without_edgerig(bench: Bench) -> None:
    text = export(bench, "airflow", store="results")["street.py"]
    compile(text, "street.py", "exec")
    assert "import edgerig" not in text
    assert "steps['look'] >> steps['test']" in text
    assert f"--store {Path('results').absolute()}" in text
    assert "Param(3, type='integer')" in text
    assert "retries=3" in text
    assert "seconds=30.0" in text


@pytest.mark.slow
@pytest.mark.skipif(AIRFLOW is None, reason="EDGERIG_TEST_AIRFLOW names no interpreter with Airflow")
@pytest.mark.timeout(600)
def test_airflow_runs_it_with_the_results_of_a_local_run(bench: Bench, tmp_path: Path) -> None:
    assert AIRFLOW is not None
    text = TWO_STEPS.replace("symbol: digits", "symbol: digits, start: 0") + (
        "  never: {run: list tasks, when: start > 5, after: first}\n"
        "  last: {run: list formats, after: never}\n"
    )  # fmt: skip
    local = bench.run(text)
    expected = {name: result.record.outputs for name, result in local.items() if result.record is not None}
    out, store = tmp_path / "airflow-out", tmp_path / "store"
    workflow = load_workflow(bench.folder / "w.yaml")
    export_workflow(workflow, "airflow", tmp_path / "dags", store=str(store), results=str(out))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "EDGERIG_CACHE": str(tmp_path / "another-cache"),
    }
    for words in (["db", "migrate"], ["dags", "test", "two", "2026-01-01"]):
        done = subprocess.run(
            [AIRFLOW, "-m", "airflow", *words], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "state=success" in done.stdout + done.stderr
    record = json.loads((out / "first" / "step.json").read_text())
    assert record["outputs"]["header"]["files"]["net.h"]["sha256"] == expected["first"]["header"].files["net.h"].sha256
    assert sha256_file(out / "first" / "build" / "net.h") == sha256_file(bench.out / "first" / "build" / "net.h")
    assert not (out / "never").exists()
    assert (out / "last" / "log.txt").is_file(), "what comes after a skipped step runs"
