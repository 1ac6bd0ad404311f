"""Networks that hand out their state, on boards: the host feeds it back, byte by byte."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.needs import need

from edgerig.artifact import Artifact
from edgerig.errors import IncompatibleError
from edgerig.measure.kinds import Measurement
from edgerig.models.declared import with_state
from edgerig.models.files import open_artifact
from edgerig.targets.remote.session import WireSession
from edgerig.targets.remote.session_requests import SessionRequests
from edgerig.targets.resolve import target_for
from edgerig.testing.networks.recurrent import running_sum_tflite

STATE = {"before": "next"}
#: Zero point of all tensors of the int8 network, whose sums have the scale 1.
ZERO = 3


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path = running_sum_tflite(tmp_path_factory.mktemp("net") / "sum.tflite", int8=True)
    return with_state(open_artifact(path), STATE)


@pytest.fixture(scope="module")
def x() -> NDArray[np.int8]:
    # Sums stay within int8.
    return np.random.default_rng(1).integers(-2, 3, (20, 1, 4)).astype(np.int8)[:, 0] + np.int8(ZERO)


def sums(x: NDArray[np.int8]) -> NDArray[np.int8]:
    """What the state is after each sample of a sequence: exact, as its scale is 1."""
    total = np.cumsum(x.astype(np.int64) - ZERO, axis=0) + ZERO
    assert np.abs(total).max() < 120
    return total.astype(np.int8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "options"),
    [
        ("sim:stm32f746", {}),
        ("sim:stm32f746", {"protocol": "stepwise"}),
        ("qemu:mps2-an386", {}),
    ],
)
def test_the_very_bytes_of_an_output_are_the_next_input(
    network: Artifact, x: NDArray[np.int8], board: str, options: dict[str, str]
) -> None:
    if board.startswith("qemu"):
        need("qemu-system-arm")
    with closing(target_for(board, options)) as target, target.open(network, "micro", {}) as session:
        assert [spec.name for spec in session.load_report.inputs] == ["x"]
        names = [spec.name for spec in session.load_report.outputs]
        run = session.run([x])
        np.testing.assert_array_equal(run.outputs[names.index("next")], sums(x))
        # Each sample was a request of its own, and its time is the device's.
        assert run.samples_per_request.tolist() == [1] * len(x)
        assert len(run.times_ns) == len(x)
        # It goes on from there, in whatever pieces, until a sequence begins.
        again = session.run([x[:2]]).outputs[names.index("next")]
        np.testing.assert_array_equal(again, sums(np.concatenate([x, x[:2]]))[len(x) :])
        session.begin_sequence()
        parts = [session.run([part]).outputs[names.index("next")] for part in (x[:7], x[7:])]
        np.testing.assert_array_equal(np.concatenate(parts), sums(x))
        # What a real board's line is asked for.
        assert isinstance(session, WireSession)
        assert isinstance(WireSession.transport(session, [x], 3), Measurement)
        assert SessionRequests(session, [x]).run(2)[1] > 0
        layers = session.profile([x[:2]])
        assert isinstance(layers, list)
        assert [layer.op for layer in layers] == ["ADD", "MUL"]


def test_a_state_of_another_scale_is_refused_by_name(tmp_path: Path) -> None:
    path = running_sum_tflite(tmp_path / "sum.tflite", int8=True, other_scale=True)
    with pytest.raises(IncompatibleError, match=r"state of sum cannot be carried: 'next' and 'before' differ in quant"):
        with_state(open_artifact(path), STATE)
