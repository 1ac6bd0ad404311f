"""Lines that spoil bytes: whatever gets lost, results are those of the undisturbed run."""

import contextlib

import numpy as np
import pytest

from edgerig.errors import TargetError
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.contracts.target import random_inputs
from edgerig.testing.line import Line
from edgerig.wire.frame import Kind
from edgerig.wire.lossy import LEAST_SECONDS

KINDS = ("flip", "drop", "insert", "double")


@pytest.fixture(params=["firmware", "agent"])
def spoiled(request, start_device, serial_agent, built_in, faulty):
    """A line with faults, a target at its end, and what runs there: a context manager."""

    @contextlib.contextmanager
    def firmware(**rates):
        with start_device() as (_, path), Line(path, **rates) as line:
            yield line, built_in

    @contextlib.contextmanager
    def agent(**rates):
        with Line(**rates) as line, serial_agent(line.device):
            yield line, faulty

    return firmware if request.param == "firmware" else agent


def run_all(line, network, count: int, protocol: str = "run") -> int:
    """Run ``count`` samples, and compare; how often something was sent again."""
    artifact = getattr(network, "artifact", network)
    inputs = random_inputs(artifact, count)
    target = target_for(f"serial://{line.host}", {"timeout": 60, "protocol": protocol})
    runtime = "micro" if artifact is not network else faults.NAME
    expected = network.outputs(inputs)[0] if artifact is not network else inputs[0] * 2
    with target.open(artifact, runtime, {}) as session:
        run = session.run(inputs)
        np.testing.assert_array_equal(run.outputs[0], expected)
        assert run.samples_per_request.sum() == count
        # Each sample was run once, for all that was sent twice. Stepwise, a session counts likewise.
        assert session.client.download_statistics().inferences == count
        return session.client.faults.resent


@pytest.mark.slow
def test_faults_of_all_kinds_leave_results_as_they_are(spoiled):
    with spoiled(seed=1, **dict.fromkeys(KINDS, 1e-4)) as (line, network):
        resent = run_all(line, network, 600)
        print(f"{line.tried} faults tried: {line.counts}; {resent} requests sent again")
        assert line.tried > 4
        assert resent > 0


@pytest.mark.slow
def test_large_network_gets_through_a_line_that_no_message_of_its_size_would(serial_agent, tmp_path):
    content = np.random.default_rng(7).bytes(60_000)
    artifact = faults.any_artifact(tmp_path, content)
    with Line(seed=5, **dict.fromkeys(KINDS, 1e-4)) as line, serial_agent(line.device):
        target = target_for(f"serial://{line.host}", {"timeout": 20})
        with target.open(artifact, faults.NAME, {}) as session:
            assert session.load_report.sha256 == artifact.sha256
            assert session.client.faults.resent > 0
        assert line.tried > 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [1e-4, 1e-3])
@pytest.mark.parametrize("protocol", ["run", "stepwise"])
def test_faults_of_each_kind_leave_results_as_they_are(spoiled, kind, rate, protocol):
    tried = 0
    with spoiled(seed=2, **{kind: rate}) as (line, network):
        counts = (800, 60) if rate > 5e-4 else (2400, 250)
        run_all(line, network, counts[protocol == "stepwise"], protocol)
        tried = line.tried
    print(f"{tried} faults tried ({kind}, {rate:g}, {protocol})")
    assert tried > 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drop", "flip"])
def test_lines_that_spoil_three_bytes_of_a_thousand_do_not_make_waits_grow(spoiled, kind):
    """What is waited for an answer comes from answers, never from the time that was lost to the line before."""
    with spoiled(seed=3, **{kind: 3e-3}) as (line, network):
        artifact = getattr(network, "artifact", network)
        inputs = random_inputs(artifact, 100)
        target = target_for(f"serial://{line.host}", {"timeout": 60})
        with target.open(artifact, "micro" if artifact is not network else faults.NAME, {}) as session:
            run = session.run(inputs)
            client = session.client
            assert client.faults.resent > 20, "this line is none that spoils much"
            # A message takes a few tries, whatever came before it.
            assert client.faults.resent < 8 * len(run.round_trips_ns) + 80
            client._kind, client._size, client._silences = Kind.RUN, 200, 10
            assert client._patience() <= 4 * (LEAST_SECONDS + 0.3)
            assert client._pace[Kind.RUN] * 200 < 0.2


@pytest.mark.slow
def test_line_that_lets_almost_nothing_through_is_given_up_with_a_clear_error(spoiled, monkeypatch):
    monkeypatch.setattr("edgerig.wire.lossy.HELLO_SECONDS", 3.0)
    with spoiled(seed=3, flip=0.05) as (line, network):
        with pytest.raises(TargetError, match=r"not one message among them|not a byte came|came damaged"):
            run_all(line, network, 10)
        print(f"{line.tried} faults tried")
        assert line.tried > 10
