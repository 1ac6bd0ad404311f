import pytest
from tests.agents import serving

from edgerig.agent.server import Agent
from edgerig.errors import SpecError, TargetError, UnknownNameError
from edgerig.targets.resolve import plugin_of, target_for
from edgerig.testing.contracts.target import TargetContract
from edgerig.wire.unix import UnixAddress


@pytest.fixture(scope="class")
def address(tmp_path_factory):
    """An agent at a unix socket."""
    socket = UnixAddress(str(tmp_path_factory.mktemp("unix") / "a.sock"))
    with serving(Agent(socket, runtimes=("litert",))) as agent:
        yield str(agent.address)


class TestUnix(TargetContract):
    @pytest.fixture(scope="class")
    def target(self, address):
        return target_for(address)

    @pytest.fixture(scope="class")
    def deployment(self, two_inputs):
        return two_inputs


@pytest.mark.slow
class TestUnixStepwise(TargetContract):
    @pytest.fixture(scope="class")
    def target(self, address):
        return target_for(address, {"protocol": "stepwise", "checksum": True})

    @pytest.fixture(scope="class")
    def deployment(self, one_input):
        return one_input


def test_address_is_checked_when_it_is_named():
    assert plugin_of("unix:///tmp/x.sock").name == "unix"
    with pytest.raises(SpecError, match="three slashes"):
        plugin_of("unix://tmp/x.sock")
    with pytest.raises(UnknownNameError, match="timout"):
        target_for("unix:///tmp/x.sock", {"timout": 3})


def test_missing_agent_is_said_with_the_command_that_starts_one(tmp_path):
    target = target_for(f"unix://{tmp_path}/none.sock")
    with pytest.raises(TargetError) as caught:
        target.check()
    assert caught.value.hint == f"Start one: edgerig agent --listen unix://{tmp_path}/none.sock"
