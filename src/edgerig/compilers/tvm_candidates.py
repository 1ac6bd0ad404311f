"""Builds and times variants of TVM's kernels: ``python -m edgerig.compilers.tvm_candidates FOLDER PARENT``.

A process of its own, as a variant may take the compiler minutes, or end the process. FOLDER has the network and the
words of the target. Each line on standard input is an order, and is answered by one on standard output.

The variants are those of TVM's search space for CPUs (MetaSchedule's rules: tiles, vectors, unrolled loops, where
values are computed). Its own search over that space is not used: it ends the process (version 0.27).
"""

from __future__ import annotations

import json
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.bounded.child import die_with

#: The network, and the words of the target, in the folder.
NETWORK, TARGET = "network.onnx", "target.json"
#: Seconds and runs for which a kernel is timed, at least and at most.
_LEAST_RUNS, _MOST_RUNS, _SECONDS = 5, 200, 0.03
#: Share of variants that are made of the best one by drawing one of its decisions again.
_NEAR = 0.5
#: Turns, and seconds of a turn, in which whole networks are timed.
_TURNS, _TURN_SECONDS = 5, 0.1
#: How far from the first kernel's a variant's values may be, in shares of the largest: sums in another order.
TOLERANCE = 1e-4


class Kernels:
    """The kernels of a network, and what was found out of them."""

    def __init__(self, folder: Path) -> None:
        import onnx
        import tvm

        # Hardware intrinsics, which take 17 s to import: rules for plain vectors need none.
        sys.modules.setdefault("tvm.s_tir.tensor_intrin", types.ModuleType("tvm.s_tir.tensor_intrin"))
        tvm.get_global_func("runtime.config_threadpool")(1, 1)
        self.target = tvm.target.Target(json.loads((folder / TARGET).read_text()))
        module = fused(imported(onnx.load(str(folder / NETWORK))), self.target)
        self._functions = {variable.name_hint: function for variable, function in module.functions.items()}
        self._right: dict[str, NDArray[Any]] = {}
        self._spaces: dict[str, tuple[Any, Any]] = {}

    def first(self, name: str) -> dict[str, Any]:
        """The kernel as TVM makes it: its seconds."""
        seconds, self._right[name] = self._timed(self._kernel(name))
        return {"seconds": seconds}

    def variant(self, name: str, seed: int, near: list[Any] | None) -> dict[str, Any]:
        """A variant that ``seed`` draws, of all or in one decision other than ``near``: its seconds, and its trace."""
        from tvm import s_tir
        from tvm.s_tir.schedule import Trace

        if name not in self._right:
            self.first(name)
        module, random = self._kernel(name), np.random.default_rng(seed)
        traces, rules = self._space(name, module)
        schedule = s_tir.Schedule(module, seed=seed + 1, debug_mask=0)
        if near is not None and random.random() < _NEAR:
            before = replayed(module, near)
            decided = dict(before.trace.decisions.items())
            if decided:
                decided.pop(list(decided)[int(random.integers(len(decided)))])
            trace = Trace(before.trace.insts, decided)
        else:
            trace = Trace(traces[int(random.integers(len(traces)))].insts, {})
        trace.apply_to_schedule(schedule, remove_postproc=True)
        if not all(rule.apply(schedule) for rule in rules):
            return {"fault": "cannot be built"}
        seconds, outputs = self._timed(schedule.mod)
        if not same(outputs, self._right[name]):
            return {"fault": "wrong"}
        return {"seconds": seconds, "trace": plain(schedule.trace.as_json())}

    def networks(self, files: list[str], inputs: list[list[Any]]) -> dict[str, Any]:
        """Whole networks in turns, on the same inputs: the seconds of each, and whether their outputs are equal."""
        import tvm
        from tvm import relax

        random = np.random.default_rng(0)
        arrays = [tvm.runtime.tensor(_drawn(random, tuple(shape), dtype)) for shape, dtype in inputs]
        loaded = [relax.VirtualMachine(tvm.runtime.load_module(file), tvm.cpu())["main"] for file in files]
        seconds, outputs = [float("inf")] * len(loaded), [_outputs(function(*arrays)) for function in loaded]
        for _ in range(_TURNS):
            for index, function in enumerate(loaded):
                spent = _best_of(lambda function=function: function(*arrays), _TURN_SECONDS)
                seconds[index] = min(seconds[index], spent)
        equal = all(
            len(others) == len(outputs[0]) and all(same(*pair) for pair in zip(others, outputs[0], strict=True))
            for others in outputs
        )
        return {"seconds": seconds, "equal": equal}

    def _space(self, name: str, module: Any) -> tuple[list[Any], Any]:
        """The traces of the kernel's search space, and what completes a variant drawn from one."""
        from tvm.s_tir import meta_schedule

        if name not in self._spaces:
            # Without mutators: a context that has some ends the process.
            space = meta_schedule.space_generator.PostOrderApply(sch_rules="llvm", postprocs="llvm", mutator_probs={})
            context = meta_schedule.TuneContext(
                module, target=self.target, space_generator=space, task_name="main", rand_state=1, num_threads=1
            )
            traces = [schedule.trace for schedule in space.generate_design_space(module)]
            self._spaces[name] = traces, (space.postprocs, context)
        traces, (rules, _) = self._spaces[name]
        return traces, rules

    def _timed(self, module: Any) -> tuple[float, NDArray[Any]]:
        """Seconds of a kernel on inputs that are the same for all variants, and what it computes of them."""
        import tvm

        built = tvm.compile(module, self.target)["main"]
        random = np.random.default_rng(0)
        arguments = [tvm.runtime.tensor(_drawn(random, *each)) for each in buffers_of(module["main"])]
        built(*arguments)
        outputs = arguments[-1].numpy().copy()
        return _best_of(lambda: built(*arguments), _SECONDS), outputs

    def _kernel(self, name: str) -> Any:
        return alone(self._functions[name])


def imported(model: Any) -> Any:
    """The module of an ONNX network, its weights within."""
    from tvm.relax.frontend.onnx import from_onnx

    return from_onnx(model, keep_params_in_input=False)


def fused(module: Any, target: Any) -> Any:
    """A module whose operators are fused to kernels, and in which nothing is left that does not depend on inputs."""
    from tvm import relax

    with target:
        return relax.get_pipeline("zero")(module)


def alone(function: Any) -> Any:
    """A module of one kernel."""
    import tvm

    return tvm.IRModule({"main": function.with_attr("global_symbol", "main")})


def replayed(module: Any, trace: list[Any]) -> Any:
    """The variant of a kernel that a trace made. (TVM's own JSON of a program ends the process, a trace's does not.)"""
    from tvm import s_tir
    from tvm.s_tir.schedule import Trace

    schedule = s_tir.Schedule(module, debug_mask=0)
    Trace.apply_json_to_schedule(trace, schedule)
    return schedule


def plain(value: Any) -> Any:
    """What TVM's JSON values are in Python."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "items"):
        return {str(key): plain(each) for key, each in value.items()}
    return plain(value.value) if hasattr(value, "value") else [plain(each) for each in value]


def buffers_of(function: Any) -> list[tuple[tuple[int, ...], str]]:
    """Shape and type of each parameter of a kernel, outputs last."""
    # Version 0.27 has them as the type of the parameter, 0.26 beside the parameters.
    beside = getattr(function, "buffer_map", None)
    buffers = [beside[parameter] if beside is not None else parameter.ty for parameter in function.params]
    return [(tuple(int(size) for size in buffer.shape), str(np.dtype(str(buffer.dtype)))) for buffer in buffers]


def same(values: NDArray[Any], right: NDArray[Any]) -> bool:
    """Whether values differ by no more than sums in another order do."""
    if values.shape != right.shape or values.dtype.kind != "f":
        return np.array_equal(values, right)
    largest = float(np.abs(right[np.isfinite(right)]).max(initial=0.0))
    return bool(np.allclose(values, right, rtol=0, atol=TOLERANCE * largest, equal_nan=True))


def _drawn(random: np.random.Generator, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    if np.dtype(dtype).kind == "f":
        return (random.random(shape) - 0.5).astype(dtype)
    # Indices, which have to be within whatever they point into.
    return np.zeros(shape, dtype)


def _outputs(result: Any) -> list[NDArray[Any]]:
    return [output.numpy() for output in ([result] if hasattr(result, "numpy") else list(result))]


def _best_of(call: Any, seconds: float) -> float:
    """The least time of several runs: other programs only add to it."""
    best, runs, clock = float("inf"), 0, time.perf_counter
    end = clock() + seconds
    while runs < _LEAST_RUNS or (runs < _MOST_RUNS and clock() < end):
        start = clock()
        call()
        best, runs = min(best, clock() - start), runs + 1
    return best


def main(arguments: list[str]) -> None:
    """Answer orders until there are no more."""
    die_with(int(arguments[1]))
    # What the engine prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    kernels = Kernels(Path(arguments[0]))
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = getattr(kernels, order.pop("do"))(**order)
        except Exception as error:
            words = " ".join(str(error).split()) or type(error).__name__
            answer = {"fault": "cannot be built", "words": words[-300:]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
