"""The contract of a target, as tests.

A plugin author subclasses `TargetContract` in a test file and provides two fixtures::

    class TestMyBoard(TargetContract):
        @pytest.fixture(scope="class")
        @classmethod
        def target(cls): return target_for("myboard://...", {})

        @pytest.fixture(scope="class")
        @classmethod
        def deployment(cls): return Deployment(artifact, "my-runtime", {}, model)

``deployment`` has a network, how to run it, and a function that computes its outputs independently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.artifact import Artifact
from edgerig.errors import EdgerigError, IncompatibleError, InferenceError, UnknownNameError, UsageError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.plugins import Settings, describe
from edgerig.targets.base import Array, Session, Target


class Deployment(msgspec.Struct):
    """A network to deploy.

    Attributes:
        artifact: Its file.
        runtime: The runtime's name; ``options`` are its settings.
        outputs: From inputs, one array (n, ...) for each input tensor, to the expected outputs.
        tolerance: Largest error of outputs.
    """

    artifact: Artifact
    runtime: str
    options: dict[str, Any]
    outputs: Callable[[Sequence[Array]], Sequence[Array]]
    tolerance: float = 1e-5


class TargetContract:
    """Tests that every `Target` passes."""

    @pytest.fixture(scope="class")
    @classmethod
    def target(cls) -> Target:
        """The target under test."""
        raise NotImplementedError("give the fixture `target`")

    @pytest.fixture(scope="class")
    @classmethod
    def deployment(cls) -> Deployment:
        """A network that runs on the target."""
        raise NotImplementedError("give the fixture `deployment`")

    @pytest.fixture(scope="class")
    @classmethod
    def opened(cls, target: Target) -> Iterator[list[Session]]:
        """The session that is open, if one is; ``target`` stays longer than it."""
        opened: list[Session] = []
        yield opened
        _close(opened)

    @pytest.fixture
    def session(self, target: Target, deployment: Deployment, opened: list[Session]) -> Session:
        """A session, of which only the network and its device are known: tests share it, as long as it answers."""
        if opened and not _answers(opened[0], deployment):
            _close(opened)
        if not opened:
            opened.append(target.open(deployment.artifact, deployment.runtime, deployment.options))
        return opened[0]

    @pytest.fixture(autouse=True)
    def _alone(self, request: pytest.FixtureRequest, opened: list[Session]) -> None:
        """A test that does not ask for the session has the target for itself."""
        if "session" not in request.fixturenames:
            _close(opened)

    def test_target_says_what_it_is(self, target: Target) -> None:
        assert target.name
        assert target.summary
        assert target.address in target.description
        assert target.kind in ("measured", "emulated", "modelled", "estimated")
        assert issubclass(target.Settings, Settings)
        assert all(text for _, _, text in describe(target.Settings)), "every setting needs a description"

    def test_check_tells_what_machine_it_is_and_may_be_asked_again(self, target: Target) -> None:
        first, second = target.check(), target.check()
        assert first.host == second.host
        assert first.cores >= 1
        assert first.architecture

    def test_device_reports_the_file_and_the_engine_that_were_asked_for(
        self, session: Session, deployment: Deployment
    ) -> None:
        report = session.load_report
        assert report.sha256 == deployment.artifact.sha256
        assert report.runtime == deployment.runtime
        assert report.runtime_version
        assert report.threads >= 1
        assert report.load_seconds > 0
        assert report.clock
        assert report.invoke_method
        assert [spec.shape for spec in report.inputs] == [spec.shape for spec in deployment.artifact.inputs]
        assert [spec.dtype for spec in report.outputs] == [spec.dtype for spec in deployment.artifact.outputs]

    def test_a_sequence_may_begin_at_any_time_or_the_session_says_that_it_cannot(
        self, session: Session, deployment: Deployment
    ) -> None:
        inputs = random_inputs(deployment.artifact, 3)
        first = session.run(inputs)
        refusal: IncompatibleError | None = None
        try:
            session.begin_sequence()
        except IncompatibleError as error:
            refusal = error
        assert refusal is None or ("cannot reset the state" in refusal.message and refusal.hint)
        for got, want in zip(session.run(inputs).outputs, first.outputs, strict=True):
            np.testing.assert_array_equal(got, want)

    @pytest.mark.parametrize("count", [1, 2, 37])
    def test_outputs_are_those_of_the_network_sample_by_sample(
        self, session: Session, deployment: Deployment, count: int
    ) -> None:
        inputs = random_inputs(deployment.artifact, count)
        run = session.run(inputs)
        expected = deployment.outputs(inputs)
        assert len(run.outputs) == len(expected)
        for got, wanted, spec in zip(run.outputs, expected, deployment.artifact.outputs, strict=True):
            assert got.dtype.name == spec.dtype
            assert got.shape == wanted.shape
            np.testing.assert_allclose(got, wanted, atol=deployment.tolerance, rtol=0)

    def test_every_sample_has_a_time_of_its_own_that_its_request_contains(
        self, session: Session, deployment: Deployment
    ) -> None:
        run = session.run(random_inputs(deployment.artifact, 50))
        assert run.times_ns.shape == (50,)
        assert run.times_ns.dtype == np.int64
        assert (run.times_ns > 0).all()
        assert run.samples_per_request.sum() == 50
        assert run.round_trips_ns.shape == run.samples_per_request.shape
        ends = np.cumsum(run.samples_per_request)
        inside = [part.sum() for part in np.split(run.times_ns, ends[:-1])]
        assert (run.round_trips_ns >= inside).all()

    def test_progress_tells_of_every_sample_once(self, session: Session, deployment: Deployment) -> None:
        counts: list[int] = []
        session.run(random_inputs(deployment.artifact, 60), counts.append)
        assert sum(counts) == 60
        assert min(counts) > 0

    def test_wrong_shape_and_wrong_dtype_are_refused_and_the_session_goes_on(
        self, session: Session, deployment: Deployment
    ) -> None:
        inputs = random_inputs(deployment.artifact, 3)
        with pytest.raises(InferenceError):
            session.run([np.concatenate([inputs[0], inputs[0]], axis=-1), *inputs[1:]])
        with pytest.raises(InferenceError):
            session.run([inputs[0].astype(np.complex128), *inputs[1:]])
        with pytest.raises(InferenceError):
            session.run([*inputs, inputs[0]])
        with pytest.raises(InferenceError):
            session.run([array[:0] for array in inputs])
        assert len(session.run(inputs).times_ns) == 3

    def test_transport_is_a_number_with_a_method_or_says_why_not(
        self, session: Session, deployment: Deployment
    ) -> None:
        transport = session.transport(random_inputs(deployment.artifact, 2), 5)
        if isinstance(transport, Measurement):
            assert transport.value >= 0
            assert transport.unit == "s"
            assert transport.n == 5
            assert transport.method
        else:
            assert transport.reason

    def test_profile_names_operators_in_order_or_says_why_not(self, session: Session, deployment: Deployment) -> None:
        layers = session.profile(random_inputs(deployment.artifact, 4))
        if isinstance(layers, Unavailable):
            assert layers.reason
        else:
            assert [layer.index for layer in layers] == sorted(layer.index for layer in layers)
            assert all(layer.op for layer in layers)

    def test_memory_is_told_in_bytes_by_name(self, session: Session, deployment: Deployment) -> None:
        session.run(random_inputs(deployment.artifact, 1))
        memory = session.memory()
        assert memory
        for quantity in memory.values():
            if isinstance(quantity, Measurement):
                assert quantity.unit == "B"
                assert quantity.value >= 0
                assert quantity.method
            else:
                assert quantity.reason

    def test_machine_is_the_one_that_check_saw(self, session: Session, target: Target) -> None:
        assert session.machine().architecture
        assert session.machine().time

    def test_sessions_follow_one_another_at_once(self, target: Target, deployment: Deployment) -> None:
        for _ in range(3):
            with target.open(deployment.artifact, deployment.runtime, deployment.options) as session:
                assert len(session.run(random_inputs(deployment.artifact, 1)).times_ns) == 1

    def test_closing_twice_does_no_harm_and_a_closed_session_runs_nothing(
        self, target: Target, deployment: Deployment
    ) -> None:
        session = target.open(deployment.artifact, deployment.runtime, deployment.options)
        session.close()
        session.close()
        with pytest.raises(EdgerigError):
            session.run(random_inputs(deployment.artifact, 1))

    def test_unknown_runtime_and_unknown_setting_are_told_by_name(self, target: Target, deployment: Deployment) -> None:
        with pytest.raises(UnknownNameError, match="no-such-runtime"):
            target.open(deployment.artifact, "no-such-runtime", {})
        with pytest.raises(UsageError, match="no_such_setting"):
            target.open(deployment.artifact, deployment.runtime, {"no_such_setting": 1})

    def test_file_that_is_no_network_is_refused_by_the_engine(
        self, target: Target, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        from edgerig.files import sha256

        garbage = b"this is no network" * 10
        path = tmp_path_factory.mktemp("garbage") / f"garbage.{deployment.artifact.format}"
        path.write_bytes(garbage)
        artifact = msgspec.structs.replace(
            deployment.artifact, path=str(path), sha256=sha256(garbage), size=len(garbage)
        )
        with pytest.raises(InferenceError):
            target.open(artifact, deployment.runtime, deployment.options)


def _answers(session: Session, deployment: Deployment) -> bool:
    """Whether a session still does, after what a test has done with it."""
    try:
        return len(session.run(random_inputs(deployment.artifact, 1)).times_ns) == 1
    except EdgerigError:
        return False


def _close(opened: list[Session]) -> None:
    while opened:
        opened.pop().close()


def random_inputs(artifact: Artifact, count: int, seed: int = 0) -> list[Array]:
    """Inputs (n, *shape without batch) for every input tensor, in its dtype: normal, or over an integer's range."""
    rng = np.random.default_rng(seed)
    arrays: list[Array] = []
    for spec in artifact.inputs:
        shape, dtype = (count, *spec.shape[1:]), np.dtype(spec.dtype)
        if dtype.kind == "f":
            arrays.append(rng.normal(size=shape).astype(dtype))
        elif dtype.kind == "b":
            arrays.append(rng.integers(0, 2, shape).astype(dtype))
        else:
            limits = np.iinfo(dtype)
            arrays.append(rng.integers(limits.min, limits.max, shape, dtype, endpoint=True))
    return arrays
