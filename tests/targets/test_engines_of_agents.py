"""An agent runs a network in the interpreter that its own machine names for the engine, never in its client's."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.environments_made import AGENT, made_environment

from edgerig.agent.elsewhere import engines_named
from edgerig.agent.server import Agent
from edgerig.agent.worker_process import WorkerLimits, WorkerProcess
from edgerig.errors import InferenceError, NotInstalledError, UnknownNameError, UsageError
from edgerig.measure.census import Census
from edgerig.models.files import open_artifact
from edgerig.runtimes.base import RuntimeSettings
from edgerig.runtimes.litert import LiteRt
from edgerig.targets.resolve import plugin_of, target_for
from edgerig.testing.networks import dense_tflite
from edgerig.wire.frame import FrameReader, Kind, encode
from edgerig.wire.link import PairLink
from edgerig.wire.messages import ModelHeader, pack

X = [np.random.default_rng(0).normal(size=(7, 8)).astype(np.float32)]


def interpreters() -> list[str]:
    """Those of the processes that this one has started."""
    return [process.cmdline()[0] for process in psutil.Process(os.getpid()).children(recursive=True)]


@pytest.mark.slow
def test_a_network_runs_in_the_interpreter_that_the_agent_was_started_with(
    start_agent: Callable[..., Agent], litert_environment: Path, tmp_path: Path
) -> None:
    artifact = open_artifact(dense_tflite(tmp_path / "net.tflite"))
    with target_for("local").open(artifact, "litert", {}) as session:
        expected = session.run(X).outputs[0]
    agent = start_agent(limits=WorkerLimits(engines=(f"litert={litert_environment}",)))
    own = str(litert_environment.resolve() / "bin" / "python")
    for protocol in ("run", "stepwise"):
        target = target_for(str(agent.address), {"protocol": protocol})
        with target.open(artifact, "litert", {}) as session:
            assert own in [str(Path(path).parent.resolve() / Path(path).name) for path in interpreters()]
            np.testing.assert_array_equal(session.run(X).outputs[0], expected)
            assert isinstance(session.census(X), Census)
        target.close()


def test_what_a_host_sends_behind_a_network_reaches_the_interpreter_that_takes_over(
    litert_environment: Path, tmp_path: Path
) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    limits = WorkerLimits(engines=(f"litert={litert_environment}",))
    process = WorkerProcess(theirs, runtimes=("litert",), idle=60, parent_folder=tmp_path, limits=limits)
    theirs.close()
    replies = FrameReader(PairLink(ours))
    try:
        for request, name in ((1, "one"), (4, "two")):
            content = dense_tflite(tmp_path / f"{name}.tflite", seed=request).read_bytes()
            header = ModelHeader("litert", {}, "tflite", hashlib.sha256(content).hexdigest(), name)
            parts = encode(Kind.MODEL, request, pack(header), [memoryview(content)])
            parts += [*encode(Kind.IO, request + 1), *encode(Kind.LOG, request + 2)]
            ours.sendall(b"".join(parts))
            frames = [(reply.kind, reply.request, bytes(reply.payload)) for reply in (replies.read() for _ in range(3))]
            assert [frame[:2] for frame in frames] == [(Kind.OK, request + index) for index in range(3)]
            assert frames[0][2] == frames[1][2]
            assert len(list(process.folder.glob("*.tflite"))) == 1, "a session has room for one network"
    finally:
        ours.close()
        process.end()


def test_errors_of_loading_there_come_back_as_what_they_are(
    start_agent: Callable[..., Agent], litert_environment: Path, tmp_path: Path
) -> None:
    agent = start_agent(limits=WorkerLimits(engines=(f"litert={litert_environment}",)))
    artifact = open_artifact(dense_tflite(tmp_path / "net.tflite"))
    with pytest.raises(InferenceError, match="state") as caught:
        target_for(str(agent.address), {}).open(artifact, "litert", {"state": {"x": "no-such-output"}})
    assert "net" in caught.value.message or "no-such-output" in caught.value.message


def test_an_interpreter_without_the_engine_is_refused_when_the_agent_is_started(tmp_path: Path) -> None:
    empty = made_environment(tmp_path / "env", AGENT)
    with pytest.raises(NotInstalledError, match="openvino"):
        engines_named([f"openvino={empty}"])
    with pytest.raises(UsageError, match="There is no Python interpreter"):
        engines_named([f"openvino={tmp_path / 'absent'}"])
    with pytest.raises(UsageError, match="does not say which interpreter"):
        engines_named(["openvino"])
    with pytest.raises(UnknownNameError, match="openvnio"):
        engines_named([f"openvnio={empty}"])


def test_the_client_s_own_interpreter_is_refused_for_an_agent() -> None:
    settings = RuntimeSettings(python="/venv")
    reason = plugin_of("tcp://pi:7433").refuses("tcp://pi:7433", LiteRt, settings)
    assert "edgerig agent --engine" in str(reason)
