import pytest

from edgerig.targets.resolve import target_for
from edgerig.testing.target import TargetContract


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
