import pytest

from edgerig.targets.resolve import target_for
from edgerig.testing.contracts.target import TargetContract


class TestTcp(TargetContract):
    @pytest.fixture(scope="class")
    def target(self, class_agent):
        return target_for(str(class_agent.address))

    @pytest.fixture(scope="class")
    def deployment(self, two_inputs):
        return two_inputs


@pytest.mark.slow
class TestTcpStepwise(TargetContract):
    @pytest.fixture(scope="class")
    def target(self, class_agent):
        return target_for(str(class_agent.address), {"protocol": "stepwise", "checksum": False})

    @pytest.fixture(scope="class")
    def deployment(self, one_input):
        return one_input
