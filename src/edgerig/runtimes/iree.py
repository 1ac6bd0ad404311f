"""IREE's modules, on the processor that compiler iree made them for."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgerig.errors import InferenceError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes.base import Array, Calls
from edgerig.runtimes.iree_profile import layers_of
from edgerig.runtimes.machine_code import MachineCodeRuntime

CENSUS_METHOD = "the executables of the module, as IREE wrote them when it was compiled; types by their names"
#: The threads that IREE's task system of this process was started with.
_threads = 0
_starting = threading.Lock()


class IreeRuntime(MachineCodeRuntime):
    """Modules of compiler iree. One for another processor is refused by name."""

    name = "iree"
    summary = "IREE: modules of compiler iree, on the CPU that they were made for"
    extra = "iree"
    engine = "iree"
    modules = ("iree.runtime",)
    formats: ClassVar[frozenset[str]] = frozenset({"iree"})
    resets_state = True
    invoke_method = (
        "VmContext.invoke only, which waits for the results; inputs copied into buffers before, outputs after"
    )

    @classmethod
    def version(cls) -> str:
        cls.require()
        from iree.runtime import version

        return str(version.VERSION)

    def _prepare(self, path: Path) -> None:
        super()._prepare(path)
        import iree.runtime  # noqa: F401 - so that loading it is no part of loading the network

    def _load(self, path: Path) -> None:
        from iree import runtime

        self._config = runtime.Config(device=_device(self.settings.threads))
        self._context = runtime.SystemContext(config=self._config)
        try:
            self._vm_module = runtime.VmModule.copy_buffer(self._context.instance, self._module)
            self._context.add_vm_module(self._vm_module)
            self._function = self._vm_module.lookup_function(self._bound_to.function)
        except Exception as error:
            raise InferenceError(
                f"IREE {self.version()} cannot load {path.name}: {_first_line(error)}",
                f"It was compiled by version {self._bound_to.version}: compile it again by this one.",
            ) from error
        self._path = path

    def _calls(self) -> Calls:
        from iree import runtime
        from iree.runtime.array_interop import map_dtype_to_element_type

        device, allocator = self._config.device, self._config.device.allocator
        kinds = [map_dtype_to_element_type(spec.dtype) for spec in self._bound_to.inputs]
        placement = {
            "memory_type": runtime.MemoryType.DEVICE_LOCAL | runtime.MemoryType.HOST_VISIBLE,
            "allowed_usage": runtime.BufferUsage.DEFAULT | runtime.BufferUsage.MAPPING,
        }
        outputs, invoke_function, function = self._bound_to.outputs, self._context.vm_context.invoke, self._function
        given: Any = None
        results: Any = None

        def set_inputs(sample: Sequence[Array]) -> None:
            nonlocal given, results
            given, results = runtime.VmVariantList(len(kinds)), runtime.VmVariantList(len(outputs))
            for value, kind in zip(sample, kinds, strict=True):
                view = allocator.allocate_buffer_copy(device=device, buffer=value, element_type=kind, **placement)
                given.push_ref(view)

        def invoke() -> None:
            invoke_function(function, given, results)

        def get_outputs() -> Sequence[Array]:
            views = [results.get_as_object(index, runtime.HalBufferView) for index in range(len(outputs))]
            return [
                runtime.DeviceArray(device, view, implicit_host_transfer=True, override_dtype=spec.dtype)
                .to_host()
                .copy()
                for view, spec in zip(views, outputs, strict=True)
            ]

        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        """Nothing: no module of ours keeps a state."""

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        sample = [array[0] for array in batches]
        set_inputs, invoke, _ = self._calls()
        set_inputs(sample)
        start = time.perf_counter_ns()
        invoke()
        elapsed = time.perf_counter_ns() - start
        return layers_of(self._module, self._bound_to, sample, self.settings.threads, elapsed)

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        return self._kernels(CENSUS_METHOD)

    def _memory(self) -> dict[str, Quantity]:
        allocator = self._config.device.allocator
        if not allocator.has_statistics:
            return {}
        peak = float(allocator.statistics["device_bytes_peak"])
        method = "IREE's allocator: the largest sum of its buffers so far, inputs and outputs included"
        return {"arena": Measurement(value=peak, unit="B", kind="measured", method=method)}

    def _close(self) -> None:
        del self._function, self._vm_module, self._context, self._config, self._module


def _device(threads: int) -> Any:
    """The processor as a device: in the calling thread, or with a number of threads, which a process has once.

    Raises:
        InferenceError: This process has a device of another number of threads.
    """
    global _threads
    from iree import runtime

    if threads == 1:
        return runtime.get_device("local-sync", cache=False)
    with _starting:
        if _threads not in (0, threads):
            raise InferenceError(
                f"IREE has started {_threads} threads in this process, and cannot have {threads}.",
                "Measure each number of threads in a process of its own, as a rig does.",
            )
        if not _threads:
            runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
        _threads = threads
    return runtime.get_device("local-task", cache=False)


def _first_line(error: Exception) -> str:
    """What IREE says, without the target's list of features that follows."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
