"""Clients of an agent have code loaded from those libraries alone that the agent was started with."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edgerig.agent.loading import check_machine_code
from edgerig.agent.server import Agent
from edgerig.agent.worker_process import WorkerLimits
from edgerig.artifact import Artifact
from edgerig.errors import InferenceError
from edgerig.measure.census import Census, verdicts
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.targets.resolve import target_for
from edgerig.testing import networks

X = [np.ones((1, 8), np.float32), np.ones((1, 8), np.float32)]


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return open_artifact(networks.two_input_tflite(tmp_path / "net.tflite"))


@pytest.mark.parametrize("settings", [{"delegate": "{}"}, {"delegates": [{"{}": {"take": "nothing"}}]}])
def test_agent_loads_no_code_that_it_was_not_started_with(
    start_agent: Callable[..., Agent], artifact: Artifact, delegate_library: Path, settings: dict
) -> None:
    agent = start_agent(runtimes=("litert",), limits=WorkerLimits(libraries=("libedgetpu.so.1",)))
    text = str(delegate_library)
    named = {key: text if value == "{}" else [{text: value[0]["{}"]}] for key, value in settings.items()}
    with (
        closing(target_for(str(agent.address), {})) as target,
        pytest.raises(InferenceError, match=r"loads no code from .*: clients may name libedgetpu\.so\.1") as error,
    ):
        target.open(artifact, "litert", named)
    assert f"--library {delegate_library}" in (error.value.hint or "")


def test_agent_that_allows_a_library_runs_it_and_tells_what_it_took(
    start_agent: Callable[..., Agent], artifact: Artifact, delegate_library: Path
) -> None:
    agent = start_agent(runtimes=("litert",), limits=WorkerLimits(libraries=(str(delegate_library),)))
    with (
        closing(target_for(str(agent.address), {})) as target,
        target.open(artifact, "litert", {"delegate": str(delegate_library)}) as session,
    ):
        census = session.census(X)
    assert isinstance(census, Census)
    (verdict,) = verdicts(census)
    assert (verdict.met, verdict.total) == (1, 2)


@pytest.mark.parametrize("name", ["iree", "tvm"])
def test_agent_runs_no_machine_code_unless_it_was_started_with_the_name_of_its_runtime(
    start_agent: Callable[..., Agent], artifact: Artifact, name: str
) -> None:
    """Refused before anything of the engine is imported, which need not be installed here."""
    agent = start_agent()
    with (
        closing(target_for(str(agent.address), {})) as target,
        pytest.raises(InferenceError, match=f"runtime '{name}' are machine code") as error,
    ):
        target.open(artifact, name, {})
    assert f"--runtime {name}" in (error.value.hint or "")
    check_machine_code(make("runtime", name, Runtime), (name,))
    check_machine_code(make("runtime", name, Runtime), None)
    check_machine_code(make("runtime", "litert", Runtime), ())
