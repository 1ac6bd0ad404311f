"""The base class of targets: devices under test that run one network at a time and return outputs and times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.errors import IncompatibleError
from edgerig.measure.census import Census
from edgerig.measure.firmware import Counts, FirmwareReport
from edgerig.measure.kinds import ModelBand, Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.measure.profile import LayerTime
from edgerig.measure.utilisation import Utilisation
from edgerig.plugins import Plugin
from edgerig.runtimes.base import Runtime, RuntimeSettings

Array = NDArray[Any]


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the device says after loading a network.

    Attributes:
        inputs, outputs: The tensors as the device's engine sees them.
        load_seconds: Time from the file on the device to allocated tensors, on the device's clock.
        sha256: Hash of the file that the device loaded.
        runtime, runtime_version: The engine and its version on the device.
        clock: The device's clock and its resolution, such as ``"perf_counter_ns, 1 ns"``.
        invoke_method: What lies between the two clock readings of an inference.
        threads: Threads the engine was given.
        emulated: What emulates the hardware that the engine ran on, such as a GPU in software; empty on hardware.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    load_seconds: float
    sha256: str
    runtime: str
    runtime_version: str
    clock: str
    invoke_method: str
    threads: int
    emulated: str = ""


class DeviceRun(msgspec.Struct, frozen=True, kw_only=True):
    """n samples run on the device.

    Attributes:
        outputs: One array (n, ...) for each output tensor, in the tensor's dtype.
        times_ns: On-device inference time of each sample, shape (n,), int64.
        round_trips_ns: Host time from request to answer, one for each request, shape (m,), int64. Where several were
            under way at once, the time that one waited for those before it is part of it.
        samples_per_request: How many samples each of the m requests carried, shape (m,), int64.
    """

    outputs: tuple[Array, ...]
    times_ns: NDArray[np.int64]
    round_trips_ns: NDArray[np.int64]
    samples_per_request: NDArray[np.int64]


class Session(ABC):
    """One network on one device, from `Target.open` to `close`.

    Attributes:
        arrived: After a `run` that ended in a TargetError: the results received before it, for that many of the
            first samples. None if there were none, or if the session does not keep them.
        pid: The process of this machine that runs the network; None where it runs elsewhere.
    """

    load_report: LoadReport
    arrived: DeviceRun | None = None
    pid: int | None = None

    @abstractmethod
    def run(self, inputs: Sequence[Array], on_done: Callable[[int], None] | None = None) -> DeviceRun:
        """Run n samples; ``on_done`` is called with the number of finished samples from time to time.

        Raises:
            TargetError: The device went away. InferenceError: its engine failed.
        """

    def begin_sequence(self) -> None:
        """Have the network forget its state: the next inference is the first of a sequence.

        Raises:
            IncompatibleError: The device, or its engine, cannot; by default no session can.
            TargetError: The device went away.
        """
        raise IncompatibleError(
            f"{type(self).__name__} cannot reset the state of a network.",
            "Run networks that keep state on another target.",
        )

    @abstractmethod
    def transport(self, inputs: Sequence[Array], count: int) -> Quantity:
        """Transport time of one sample, there and back, in seconds; the median of ``count``.

        Args:
            inputs: As in `run`. count: How many samples are sent for it.

        Raises:
            TargetError: The device went away.
        """

    @abstractmethod
    def profile(self, inputs: Sequence[Array]) -> list[LayerTime] | Unavailable:
        """Seconds per inference of each operator, or why there is no profile.

        Args:
            inputs: As in `run`.

        Raises:
            TargetError: The device went away.
        """

    def census(self, inputs: Sequence[Array]) -> Census | Unavailable:
        """What of the network really runs where and in which type; the first sample of ``inputs`` may be run."""
        return Unavailable(f"{type(self).__name__} does not tell what runs where")

    @abstractmethod
    def memory(self) -> dict[str, Quantity]:
        """Bytes by name: ``peak_rss`` of the process that runs the network, ``arena`` and so on."""

    @abstractmethod
    def machine(self) -> MachineState:
        """The state of the device now.

        Raises:
            TargetError: It went away.
        """

    def longest_wait(self) -> float:
        """The longest wait for an answer beyond its inference time, in seconds; 0 if none was unusual."""
        return 0.0

    def check_clock(self, inputs: Sequence[Array]) -> str | None:
        """How the device's clock disagrees with the host's, in a sentence; None if it does not."""
        return None

    def begin_utilisation(self) -> bool:
        """Let the device sample its load, memory, temperature and power between requests from now on; if it can."""
        return False

    def end_utilisation(self) -> Utilisation | Unavailable:
        """Stop sampling: the samples since `begin_utilisation`, or why there are none."""
        return Unavailable(f"{type(self).__name__} does not sample the device")

    def counts(self) -> Counts | None:
        """Instruction and cycle counts over all samples so far, if an emulator runs the network."""
        return None

    def time_model(self) -> ModelBand | Unavailable | None:
        """The error of the model behind this session's times, or why it has none; None if a clock measures them."""
        return None

    def firmware(self) -> FirmwareReport | None:
        """The firmware that the network runs in, if this machine built it."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Free the network and the connection."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Target(Plugin, ABC):
    """A device under test.

    Attributes:
        address: As the rig file names it: ``local``, ``tcp://pi:7433``.
        log: Called with messages that are no errors; does nothing by default.

    Class attributes:
        kind: The best kind of number of this target: ``measured`` on hardware; without hardware ``modelled`` if it
            has times, ``emulated`` if it has only counts.
        runtime: The only runtime that there is on it, if there is only one.
        side_by_side: Whether it can hold several networks at once, each in a process of its own.
        parallel: Whether a run may have several sessions there at once although it is not ``side_by_side``, as far as
            that is known without asking the device (`allow_sessions`).
        exact: Whether each session tells exactly the same numbers for the same sample, so that one round is enough, and
            no sample need run again.
        chooses_interpreter: Whether the runtime's setting ``python`` says which interpreter runs it there.
    """

    kind: ClassVar[str] = "measured"
    runtime: ClassVar[str | None] = None
    side_by_side: ClassVar[bool] = False
    parallel: ClassVar[bool] = False
    exact: ClassVar[bool] = False
    chooses_interpreter: ClassVar[bool] = False
    address: str
    log: Callable[[str], None] = staticmethod(lambda text: None)

    @classmethod
    def check_address(cls, address: str) -> None:
        """Check that ``address`` is well formed, without connecting.

        Raises:
            SpecError: It is not.
        """

    @classmethod
    def refuses(cls, address: str, runtime: type[Runtime], settings: RuntimeSettings) -> str | None:
        """Why networks cannot be run at ``address`` by that engine with such settings, as far as that is known without
        asking the device; None if nothing speaks against it."""
        return runtime.refuses_settings(settings) or cls._refuses_interpreter(address, settings)

    @classmethod
    def _refuses_interpreter(cls, address: str, settings: RuntimeSettings) -> str | None:
        if settings.python is None or cls.chooses_interpreter:
            return None
        return (
            f"'python' names an interpreter of this machine, and {address} is another: leave 'python' out. There "
            "`edgerig engines install` or `edgerig agent --engine RUNTIME=PYTHON` says where the engine is"
        )

    @property
    def description(self) -> str:
        """The device for people: its address, and what else is worth knowing about it."""
        return self.address

    @abstractmethod
    def check(self) -> MachineState:
        """Check that the device is present; the state of its machine.

        Raises:
            TargetError: It is not present. No other device is measured in its place.
        """

    def allow_sessions(self, count: int) -> None:
        """Let this run have up to ``count`` sessions open at once from now on; each `open` begins one.

        Raises:
            IncompatibleError: The device holds fewer. TargetError: It is not there.
        """
        if count > 1 and not (self.parallel or self.side_by_side):
            raise IncompatibleError(
                f"{self.address} holds a single session for a run, and {count} were asked for.",
                "Ask for 1 stream, or measure on this machine or an agent.",
            )

    @abstractmethod
    def open(self, artifact: Artifact, runtime: str, options: dict[str, Any]) -> Session:
        """Send ``artifact``, load it with ``runtime`` and ``options``, and give the session.

        Raises:
            TargetError: The device is not there or breaks off.
            InferenceError: Its engine refuses the network.
        """

    def close(self) -> None:
        """Release what the target holds: sessions, leases, processes."""
