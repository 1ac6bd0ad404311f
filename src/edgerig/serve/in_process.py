"""A network in the server's own process: for those who trust it, and want to spare the way to another one and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig.agent.loading import specification_of
from edgerig.artifact import Artifact
from edgerig.engine.samples.sequences import keeps_state
from edgerig.environments.choice import SETTING, interpreter_for
from edgerig.errors import IncompatibleError
from edgerig.measure.clocks import inference_clock
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.machine import MachineState, observe
from edgerig.measure.profile import LayerTime
from edgerig.plugins import find, make
from edgerig.runtimes.base import Array, Runtime
from edgerig.targets.base import DeviceRun, LoadReport, Session, Target
from edgerig.targets.local import Local
from edgerig.targets.remote.ring_runs import Ran
from edgerig.wire import answers
from edgerig.wire.messages import ModelHeader

_SERVES_ALONE = Unavailable("a network in the server's own process is served, and not measured")
_WITHOUT = "Serve it without --in-process."


class InProcessSession(Session):
    """One network, loaded here. What it does to its process it does to the server.

    Args:
        artifact: The network. runtime: The engine, with its settings ``options``.

    Raises:
        MissingExtraError: The engine is not installed. InferenceError: It refuses the network.
        IncompatibleError: It runs in another interpreter, or the network keeps state.
    """

    def __init__(self, artifact: Artifact, runtime: str, options: Mapping[str, Any]) -> None:
        plugin = find("runtime", runtime, Runtime, keyed=False)
        if interpreter_for(plugin, options.get(SETTING)) is not None:
            raise IncompatibleError(f"The engine of {runtime} runs in another Python, not in the server's.", _WITHOUT)
        if keeps_state(artifact):
            raise IncompatibleError(f"{artifact.name} keeps state from one inference to the next.", _WITHOUT)
        reason = plugin.refuses(artifact.format, artifact.scheme)
        if reason is not None:
            raise IncompatibleError(f"{artifact.name} cannot be served: {reason}.")
        self.runtime = make("runtime", runtime, Runtime, dict(options), keyed=False)
        self.runtime.load(Path(artifact.path))
        header = ModelHeader(runtime, dict(options), artifact.format, artifact.sha256, artifact.name)
        loaded = specification_of(self.runtime, header, str(inference_clock()), 1)
        answers.check_against_file(loaded, artifact.inputs, artifact.outputs, "This process")
        fields = msgspec.structs.asdict(answers.completed(loaded, artifact.inputs, artifact.outputs))
        del fields["window"]
        self.load_report = LoadReport(**fields)

    def ran(self, inputs: Sequence[Array]) -> Ran:
        """What comes of inferences, arrays (n, *call_shape) in the inputs' dtypes; nothing of it changes any more.

        Raises:
            InferenceError: The engine failed.
        """
        whole = [x if x.flags.c_contiguous and x.flags.aligned else np.array(x, order="C") for x in inputs]
        if len(whole[0]) > 1:
            result = self.runtime.run(whole)
            return Ran(tuple(result.outputs), result.times_ns)
        # Without checks of what `NetworkTensors.calls` made, which take longer than a small network.
        shaped = zip(whole, self.load_report.inputs, strict=True)
        elapsed, outputs = self.runtime.run_one([array.reshape(spec.shape) for array, spec in shaped])
        rows = [array if array.shape[:1] == (1,) else array[None] for array in outputs]
        return Ran(tuple([array.copy() for array in rows]), np.array([elapsed], np.int64))

    def run(self, inputs: Sequence[Array], on_done: Callable[[int], None] | None = None) -> DeviceRun:
        ran = self.ran(inputs)
        times = ran.times_ns
        return DeviceRun(
            outputs=ran.outputs, times_ns=times, round_trips_ns=times, samples_per_request=np.ones_like(times)
        )

    def transport(self, inputs: Sequence[Array], count: int) -> Quantity:
        return _SERVES_ALONE

    def profile(self, inputs: Sequence[Array]) -> list[LayerTime] | Unavailable:
        return _SERVES_ALONE

    def memory(self) -> dict[str, Quantity]:
        return {}

    def machine(self) -> MachineState:
        return observe()

    def close(self) -> None:
        self.runtime.close()


def check_in_process(target: Target, sessions: int) -> None:
    """Check that a network can be served in this process.

    Raises:
        IncompatibleError: It is to run somewhere else, or more than once.
    """
    if not isinstance(target, Local):
        raise IncompatibleError(f"{target.address} is another device than the server's own process.", _WITHOUT)
    if sessions > 1:
        raise IncompatibleError("In the server's own process there is one session.", "Leave --sessions out.")
