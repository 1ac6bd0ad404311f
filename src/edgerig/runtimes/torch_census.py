"""What PyTorch runs of a network: the operators that reach its dispatcher, with their devices and types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgerig.measure.census import Census, grouped

METHOD = "the operators that reached PyTorch's dispatcher in one inference, with the device and type of their results"


def census_of(run: Callable[[], object]) -> Census:
    """The census of one inference, which ``run`` makes."""
    from torch import Tensor
    from torch.utils._python_dispatch import TorchDispatchMode

    rows: list[tuple[str, str, str]] = []

    def dispatched(_: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, tuple | list) and result else result
        if isinstance(first, Tensor):
            name = func.overloadpacket.__name__
            rows.append((name, first.device.type, str(first.dtype).removeprefix("torch.")))
        return result

    recorder: Any = type("Recorder", (TorchDispatchMode,), {"__torch_dispatch__": dispatched})
    with recorder():
        run()
    return Census(operators=grouped(rows), method=METHOD)
