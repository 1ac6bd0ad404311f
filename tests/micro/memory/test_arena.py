"""What shares memory: views, state, outputs in place of inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.micro import Options, Source, compile_model
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

SHAPE = (1, 4, 2)


class Net(TfliteBuilder):
    """Short names for what these tests build."""

    def float(self, name: str, shape: tuple[int, ...] = SHAPE) -> int:
        return self.tensor(name, shape, "float32")

    def apply(self, op: str, *inputs: int, shape: tuple[int, ...] = SHAPE, **options: Any) -> int:
        kind = {"ADD": "AddOptions", "MUL": "MulOptions", "RESHAPE": "ReshapeOptions"}.get(op)
        out = self.float(f"{op.lower()}{len(inputs)}", shape)
        self.operator(op, inputs, [out], kind, **options)
        return out


def compiled(net: Net, inputs: list[int], outputs: list[int]) -> tuple[bytes, Source]:
    data = net.build(inputs, outputs)
    return data, compile_model(data, "net", Options())


def hold(data: bytes, source: Source, folder: Path, times: int = 3) -> None:
    network, oracle = load(source, folder), Oracle(data)
    rng = np.random.default_rng(0)
    for _ in range(times):
        inputs = [rng.normal(size=spec.shape).astype(np.float32) for spec in source.manifest.inputs]
        for expected, found in zip(oracle.run(inputs), network.run(inputs), strict=True):
            assert np.allclose(expected, found, atol=1e-6)


def test_a_chain_of_functions_works_in_one_place(tmp_path: Path) -> None:
    net = Net()
    x = net.float("x")
    y = net.apply("TANH", net.apply("RELU", net.apply("LOGISTIC", x)))
    data, source = compiled(net, [x], [y])
    assert source.manifest.memory.arena == 32
    assert source.manifest.memory.plain_sum == 4 * 32
    hold(data, source, tmp_path)


def test_what_is_needed_later_is_not_overwritten(tmp_path: Path) -> None:
    net = Net()
    x = net.float("x")
    a = net.apply("TANH", x)
    b = net.apply("LOGISTIC", a)
    y = net.apply("ADD", a, b)
    data, source = compiled(net, [x], [y, a])
    hold(data, source, tmp_path)


def test_both_sides_of_a_sum_may_end_there_and_only_one_gives_its_place(tmp_path: Path) -> None:
    net = Net()
    x, z = net.float("x"), net.float("z")
    y = net.apply("ADD", x, z)
    data, source = compiled(net, [x, z], [y])
    assert source.manifest.memory.arena == 64
    hold(data, source, tmp_path)


def test_a_value_may_be_both_sides(tmp_path: Path) -> None:
    net = Net()
    x = net.float("x")
    data, source = compiled(net, [x], [net.apply("MUL", x, x)])
    hold(data, source, tmp_path)


def test_reshapes_need_no_code_even_from_input_to_output(tmp_path: Path) -> None:
    net = Net()
    x = net.float("x")
    y = net.apply("RESHAPE", x, net.tensor("shape", (2,), "int32", np.array([1, 8])), shape=(1, 8))
    data, source = compiled(net, [x], [y])
    assert source.manifest.layers == ()
    hold(data, source, tmp_path)


def test_inputs_and_outputs_that_nothing_changes_are_there(tmp_path: Path) -> None:
    net = Net()
    x, unused = net.float("x"), net.float("unused")
    c = net.tensor("c", (2,), "float32", np.array([1.5, -2]))
    _, source = compiled(net, [x, unused], [x, c])
    network = load(source, tmp_path)
    sample = np.arange(8, dtype=np.float32).reshape(SHAPE)
    first, second = network.run([sample, sample])
    assert (first == sample).all()
    assert second.tolist() == [1.5, -2]


def counter(order: str, initial: float | None) -> bytes:
    """A network that adds its input to a variable; it reads before or behind the assignment what it gives out."""
    net = Net()
    x = net.float("x")
    if initial is not None:
        net.subgraph()
        handle = net.tensor("handle", (), "resource")
        start = net.tensor("start", SHAPE, "float32", np.linspace(initial, 1, 8).reshape(SHAPE))
        net.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName=b"sum")
        net.operator("ASSIGN_VARIABLE", [handle, start], [], "AssignVariableOptions")
        net.main()
        net.operator("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=1)
    handle = net.tensor("handle", (), "resource")
    net.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName=b"sum")
    old, new = net.float("old"), net.float("new")
    net.operator("READ_VARIABLE", [handle], [old], "ReadVariableOptions")
    net.operator("ADD", [old, x], [new], "AddOptions")
    outputs = [new]
    if order == "old behind":
        net.operator("ASSIGN_VARIABLE", [handle, new], [], "AssignVariableOptions")
        outputs = [net.apply("TANH", old), new]
    elif order == "read twice":
        net.operator("ASSIGN_VARIABLE", [handle, new], [], "AssignVariableOptions")
        again = net.float("again")
        net.operator("READ_VARIABLE", [handle], [again], "ReadVariableOptions")
        outputs = [net.apply("TANH", again)]
    else:
        outputs = [net.apply("TANH", new)]
        net.operator("ASSIGN_VARIABLE", [handle, new], [], "AssignVariableOptions")
    return net.build([x], outputs)


@pytest.mark.parametrize("initial", [None, -3.0])
@pytest.mark.parametrize("order", ["plain", "old behind", "read twice"])
def test_state_is_kept_in_every_order_of_reading_and_setting(order: str, initial: float | None, tmp_path: Path) -> None:
    data = counter(order, initial)
    if initial is None:
        # LiteRT refuses to read a variable that was never set; ours starts with zeros.
        network = load(compile_model(data, "net", Options()), tmp_path)
        ones = np.ones(SHAPE, np.float32)
        network.run([ones])
        last = network.run([ones])[-1]
        assert np.allclose(last, 2 if order == "old behind" else np.tanh(2), atol=1e-6)
        return
    hold(data, compile_model(data, "net", Options()), tmp_path, times=5)


def test_plan_and_bound_and_plain_sum_are_told() -> None:
    net = Net()
    x = net.float("x")
    _, source = compiled(net, [x], [net.apply("TANH", x)])
    memory = source.manifest.memory
    assert memory.arena >= memory.lower_bound
    assert [(buffer.offset, buffer.bytes) for buffer in memory.pieces] == [(0, 32)]
    assert "enum {" in source.files["model.h"].decode()
    assert "NET_ARENA_BYTES = 32" in source.files["model.h"].decode()
