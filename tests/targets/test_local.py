import numpy as np
import psutil
import pytest

from edgerig.targets.resolve import target_for
from edgerig.testing.contracts.target import TargetContract


class TestLocal(TargetContract):
    @pytest.fixture(scope="class")
    def target(self):
        return target_for("local")

    @pytest.fixture(scope="class")
    def deployment(self, one_input):
        return one_input


class TestLocalStepwiseWithSeveralTensors(TargetContract):
    @pytest.fixture(scope="class")
    def target(self):
        return target_for("local", {"protocol": "stepwise"})

    @pytest.fixture(scope="class")
    def deployment(self, two_inputs):
        return two_inputs


def test_results_stay_what_they_are_when_the_next_request_comes(one_input):
    target = target_for("local")
    with target.open(one_input.artifact, one_input.runtime, one_input.options) as session:
        inputs = [np.random.default_rng(seed).normal(size=(40, 8)).astype(np.float32) for seed in range(3)]
        runs = [session.run([x[:count]]) for x in inputs for count in (1, 40)]
        kept = [[run.outputs[0].copy(), run.times_ns.copy()] for run in runs]
        session.run([inputs[0]])
        for run, (output, times) in zip(runs, kept, strict=True):
            np.testing.assert_array_equal(run.outputs[0], output)
            np.testing.assert_array_equal(run.times_ns, times)
        for run, x in zip(runs[1::2], inputs, strict=True):
            np.testing.assert_allclose(run.outputs[0], one_input.outputs([x])[0], atol=1e-5)
    target.close()


@pytest.mark.slow
def test_a_closed_session_is_forgotten(one_input):
    target = target_for("local")
    for _ in range(2):
        target.open(one_input.artifact, one_input.runtime, one_input.options).close()
    assert not target._sessions
    left = target.open(one_input.artifact, one_input.runtime, one_input.options)
    target.close()
    assert not target._sessions
    assert not psutil.pid_exists(left.pid)
