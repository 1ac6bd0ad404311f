"""The base class of runtimes: an engine that loads a network on this machine and times single inferences."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.errors import InferenceError
from edgerig.install import install_command
from edgerig.measure.census import Census
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.plugins import Plugin, Settings
from edgerig.runtimes.carried import Calls as Calls
from edgerig.runtimes.carried import CarriedState
from edgerig.runtimes.checked_inputs import check_sample_axis, checked_inputs
from edgerig.runtimes.inferences import RunResult as RunResult
from edgerig.runtimes.inferences import Sample, each, joined
from edgerig.runtimes.operator_times import with_warning
from edgerig.runtimes.runtime_settings import RuntimeSettings as RuntimeSettings
from edgerig.text import cause_of

#: Largest number of samples of a profile.
PROFILE_SAMPLES = 200

Array = NDArray[Any]


class Runtime(Plugin, ABC):
    """An engine on this machine. ``load``, then ``run`` as often as you like, then ``close``.

    Attributes:
        load_seconds: Time from the file to allocated tensors of the last `load`, without importing the engine.
        emulated: What emulates the device that the engine runs on, known after `load`: its numbers are emulated then.
            Empty on hardware.

    Class attributes:
        formats: Names of the formats it loads. One of your own is known once its class is: define or import the class
            (`edgerig.formats.Format`) in the runtime's module.
        invoke_method: What exactly happens between the two clock readings of an inference.
        one_thread: Whether it cannot use more than one thread.
        resets_state: Whether `begin_sequence` works for networks that keep state.
        runs_machine_code: Whether its networks are machine code; an agent runs them only if told so by name.
        resizes_batch: Whether it can set the batch of a network; its settings are `ResizableSettings` then.
    """

    formats: ClassVar[frozenset[str]]
    one_thread: ClassVar[bool] = False
    resizes_batch: ClassVar[bool] = False
    runs_machine_code: ClassVar[bool] = False
    resets_state: ClassVar[bool] = False
    invoke_method: ClassVar[str] = "invoke only; inputs set before, outputs read after"
    Settings: ClassVar[type[Settings]] = RuntimeSettings
    settings: RuntimeSettings

    load_seconds: float = 0.0
    emulated: str = ""
    _loaded = False
    #: The inputs, and the hot loop's calls, computed on first use: both take longer than a small network.
    _specs: tuple[TensorSpec, ...] = ()
    _bound: Calls | None = None
    #: The tensors that an inference takes from the one before; None without such.
    _carried: CarriedState | None = None

    @classmethod
    def refuses(cls, format: str, scheme: str) -> str | None:
        """Why an artifact of that format and scheme cannot run here, or None. Needs no engine and no file."""
        if format not in cls.formats:
            return f"runtime {cls.name!r} runs {' or '.join(sorted(cls.formats))}, not {format}"
        return cls._refuses(format, scheme)

    @classmethod
    def _refuses(cls, format: str, scheme: str) -> str | None:
        return None

    @classmethod
    def refuses_networks(cls, format: str) -> str | None:
        """Why a neural network in that format cannot run here, where other models in it can; or None. Needs no file."""
        return None

    @classmethod
    def refuses_content(cls, artifact: Artifact) -> str | None:
        """Why what the file of an artifact holds cannot run here, or None. Needs no engine; called for formats that
        `refuses` takes."""
        return None

    @classmethod
    def refuses_settings(cls, settings: RuntimeSettings) -> str | None:
        """Why it cannot run anything with ``settings``, or None. Needs no engine and no file."""
        if cls.one_thread and settings.threads != 1:
            return (
                f"runtime {cls.name!r} runs on one thread, not {settings.threads}: leave `threads` out, or set it to 1"
            )
        return None

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """The engine's version."""

    def load(self, path: Path) -> None:
        """Load the network ``path``, a file or, where its format is one, a folder, and allocate its tensors.

        Raises:
            MissingExtraError: The engine is not installed.
            InferenceError: The engine refuses the file; its own message is included.
        """
        self.require()
        self.close()
        reason = self.refuses_settings(self.settings)
        if reason is not None:
            raise InferenceError(f"{reason[0].upper()}{reason[1:]}.")
        if not path.exists():
            raise InferenceError(f"{self.name} cannot load {path}: there is no such file.", "Check the path.")
        try:
            self._prepare(path)
            start = time.perf_counter_ns()
            self._load(path)
            self.load_seconds = (time.perf_counter_ns() - start) * 1e-9
        except InferenceError:
            raise
        except ImportError as error:
            raise InferenceError(
                f"The engine of runtime {self.name!r} is installed but cannot be imported: {cause_of(error)}.",
                f"Install it again, with --force-reinstall: {install_command(*filter(None, [self.extra]))}",
            ) from error
        except Exception as error:
            raise InferenceError(
                f"{self.name} cannot load {path.name}: {cause_of(error)}",
                "The file may be corrupt, or use an operator that this engine lacks: try `edgerig inspect` on it; "
                "`edgerig --debug` shows where it failed.",
            ) from error
        self._loaded = True
        try:
            self._specs, self._bound, self._carried = self._inputs(), None, None
            if self.settings.state:
                self._carried = CarriedState(self.settings.state, self._specs, self._outputs())
                self._specs = self._carried.given(self._specs)
            if not self._specs:
                raise InferenceError(
                    f"{path.name} has no input: there is nothing that a sample could be given to.",
                    "Export the network with an input.",
                )
            check_sample_axis(self._specs)
        except InferenceError:
            self.close()
            raise

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The network's inputs, without those that an inference takes from the one before."""
        self._need_loaded("inputs")
        return self._specs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The network's outputs."""
        self._need_loaded("outputs")
        return self._outputs()

    def run(self, inputs: Sequence[Array]) -> RunResult:
        """Run n inferences one after another.

        Args:
            inputs: For each input tensor an array (n, *call_shape), in that tensor's dtype: n samples without their
                batch axis of 1, or n whole batches where the network's batch is larger.

        Raises:
            InferenceError: A shape or dtype is wrong, or the engine failed.
        """
        self._need_loaded("run")
        batches = self._check(inputs)
        count = len(batches[0])
        times = np.empty(count, np.int64)
        results: list[Sequence[Array]] = []
        keep, clock = results.append, time.perf_counter_ns
        set_inputs, invoke, get_outputs = self._bound or self._bind_calls()
        try:
            # The timed loop, kept minimal: two clock readings and three calls per sample, nothing else.
            for index, sample in enumerate(zip(*batches, strict=True)):
                set_inputs(sample)
                start = clock()
                invoke()
                times[index] = clock() - start
                keep(get_outputs())
        except InferenceError:
            raise
        except Exception as error:
            raise InferenceError(f"{self.name} failed while running: {cause_of(error)}") from error
        return RunResult(joined(results, self._outputs()), times)

    def run_one(self, sample: Sequence[Array]) -> tuple[int, Sequence[Array]]:
        """Run one sample that is known to fit: `run` without its checks, which take longer than the rest.

        Args:
            sample: For each input tensor an array of exactly its shape and dtype, contiguous.

        Returns:
            The inference time in ns, and for each output an array as the engine returns it.

        Raises:
            InferenceError: The engine failed, or no network is loaded.
        """
        self._need_loaded("run_one")
        set_inputs, invoke, get_outputs = self._bound or self._bind_calls()
        clock = time.perf_counter_ns
        try:
            set_inputs(sample)
            start = clock()
            invoke()
            elapsed = clock() - start
            return elapsed, get_outputs()
        except InferenceError:
            raise
        except Exception as error:
            raise InferenceError(f"{self.name} failed while running: {cause_of(error)}") from error

    def run_each(self, samples: Sequence[Sample], times: NDArray[np.int64]) -> None:
        """Run samples that are known to fit, one after another, with the least that is done beside the inferences.

        Args:
            samples: Of each its inputs, as `run_one` has them, and for each output tensor an array of its shape and
                dtype, which gets the output.
            times: Gets the inference times in ns, shape (n or more,).

        Raises:
            InferenceError: The engine failed, or an output is of another dtype or size; or no network is loaded.
        """
        self._need_loaded("run_each")
        try:
            each(self._bound or self._bind_calls(), None if self._carried else self._copy_outputs, samples, times)
        except InferenceError:
            raise
        except Exception as error:
            raise InferenceError(f"{self.name} failed while running: {cause_of(error)}") from error

    def placed(self, samples: Sequence[Sample], times: NDArray[np.int64]) -> Callable[[int], None]:
        """What runs the first n of samples that stay where they are, as `run_each` does, until the network is closed.

        Args:
            samples, times: As in `run_each`.

        Raises:
            InferenceError: No network is loaded. What is returned raises it, too, as `run_each` does.
        """
        self._need_loaded("placed")
        run = None if self._carried else self._placed(samples, times)
        if run is None:
            return lambda count: self.run_each(samples[:count], times)

        def run_placed(count: int) -> None:
            self._need_loaded("placed")
            try:
                run(count)
            except Exception as error:
                raise InferenceError(f"{self.name} failed while running: {cause_of(error)}") from error

        return run_placed

    def begin_sequence(self) -> None:
        """Make the network's state what it is after loading: the next inference is the first of a sequence.

        Raises:
            InferenceError: The engine cannot, or no network is loaded.
        """
        self._need_loaded("begin_sequence")
        if self._carried is not None:
            self._carried.begin()
            if not self.resets_state:
                return
        try:
            self._begin_sequence()
        except InferenceError:
            raise
        except Exception as error:
            raise InferenceError(f"{self.name} cannot reset the network's state: {cause_of(error)}") from error

    def _bind_calls(self) -> Calls:
        calls = self._calls()
        self._bound = calls if self._carried is None else self._carried.around(calls)
        return self._bound

    def profile(self, inputs: Sequence[Array]) -> list[LayerTime] | Unavailable:
        """Seconds per inference of each operator, over the first `PROFILE_SAMPLES` of the samples.

        It is a pass of its own, separate from `run`, because profiling slows an engine down. An operator's time is a
        mean: engines report whole microseconds, and a mean of many is finer than that. ``inputs`` are as in `run`, and
        refused as there; an engine that fails gives the reason.
        """
        self._need_loaded("profile")
        some = [array[:PROFILE_SAMPLES] for array in inputs]
        try:
            batches = self._check(some)
            layers = self._profile(batches if self._carried is None else self._carried.with_beginning(batches))
            return layers if isinstance(layers, Unavailable) else with_warning(layers, self.run(some).times_ns)
        except InferenceError:
            raise
        except Exception as error:
            return Unavailable(f"{self.name} failed while profiling: {cause_of(error)}")

    def census(self, inputs: Sequence[Array]) -> Census | Unavailable:
        """What of the network really runs where and in which type, asked of the engine and not of the settings.

        Args:
            inputs: As in `run`; the first sample may be run, for engines that tell of what has run. Like profiling it
                may open a session of its own, so that it belongs behind the measurement of times and memory.
        """
        self._need_loaded("census")
        try:
            batches = self._check([array[:1] for array in inputs])
            return self._census(batches if self._carried is None else self._carried.with_beginning(batches))
        except InferenceError:
            raise
        except Exception as error:
            return Unavailable(f"{self.name} failed while it was asked what runs where: {cause_of(error)}")

    def memory(self) -> dict[str, Quantity]:
        """The engine's own figures of its memory in bytes, by name (``arena``, ``peak``)."""
        self._need_loaded("memory")
        return self._memory()

    def libraries(self) -> tuple[str, ...]:
        """Files that the settings have code loaded from; an agent allows those alone that it was started with."""
        return ()

    def close(self) -> None:
        """Release the network."""
        if self._loaded:
            self._loaded, self._bound = False, None
            self._close()

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- for subclasses

    def _prepare(self, path: Path) -> None:
        """The steps before loading that do not count as load time: import the engine, check the file."""

    @abstractmethod
    def _load(self, path: Path) -> None: ...

    @abstractmethod
    def _inputs(self) -> tuple[TensorSpec, ...]: ...

    @abstractmethod
    def _outputs(self) -> tuple[TensorSpec, ...]: ...

    def _copy_outputs(self, into: Sequence[Array]) -> bool:
        """Copy the outputs to ``into``, as `run_each` has it, where that saves another copy; whether it was done."""
        return False

    def _placed(self, samples: Sequence[Sample], times: NDArray[np.int64]) -> Callable[[int], None] | None:
        """What `placed` returns, where that saves copies and calls; None where the three calls are to be used."""
        return None

    @abstractmethod
    def _calls(self) -> Calls:
        """Three calls for the hot loop: set inputs (each with its batch axis of 1), invoke, get copies of outputs."""

    def _begin_sequence(self) -> None:
        """Reset the state of a network that may have one; set `resets_state` to True where it is overridden."""
        raise InferenceError(
            f"Runtime {self.name!r} cannot reset the state of a network.", "Run it with a runtime that can."
        )

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        return Unavailable(f"{self.name} has no per-operator profile")

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        """The operators that run, and what was asked for by name; ``batches`` hold one sample."""
        return Unavailable(f"{self.name} does not tell what runs where")

    def _memory(self) -> dict[str, Quantity]:
        return {}

    def _close(self) -> None:
        return None

    # ---- checks

    def _need_loaded(self, what: str) -> None:
        if not self._loaded:
            raise InferenceError(f"{type(self).__name__}.{what}: no network is loaded.", "Call load() first.")

    def _check(self, inputs: Sequence[Array]) -> list[Array]:
        return checked_inputs(self._specs, inputs)
