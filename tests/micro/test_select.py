"""Choice of kernels, fusing and layouts, with kernels made for the purpose."""

from __future__ import annotations

from typing import Any

import pytest

from edgerig.errors import CompileError
from edgerig.micro import Options, ir
from edgerig.micro.ir import Logistic, Node, Program, Relu, Tanh, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.layouts import INT16, PLAIN
from edgerig.micro.kernels.registry import KERNELS
from edgerig.micro.pipeline import compile_program
from edgerig.micro.select import _missing


class Fake(Kernel):
    """Takes one kind of node; tells in which layouts it was used."""

    def __init__(
        self,
        name: str,
        node: type[Node] = Node,
        pattern: tuple[type[Node], ...] = (),
        sizes: tuple[str, ...] = (),
        reads: tuple[str, ...] = (PLAIN,),
        writes: tuple[str, ...] = (PLAIN,),
    ) -> None:
        self.name, self.node, self.pattern = name, node, pattern  # type: ignore[misc]
        self._only, self._reads, self._writes = sizes, reads, writes
        self.seen: list[tuple[str, str]] = []

    def accepts(self, node: Node, options: Options) -> bool:
        return not self._only or options.optimize in self._only

    def lower(self, node: Node, context: Context) -> Lowered:
        self.seen.append((context.layout(node.input), context.layout(node.output)))
        return Lowered(f"(void){context.read(node.input)}; (void){context.write(node.output)};")

    def reads(self, node: Node, value: Value) -> tuple[str, ...]:
        return self._reads

    def writes(self, node: Node, value: Value) -> tuple[str, ...]:
        return self._writes


def chain(*kinds: type[Node], also: int | None = None) -> Program:
    """Nodes one behind the other over int16-able values; ``also`` is the node whose output is an output too."""
    values = [Value(f"v{index}", (1, 10), "float32") for index in range(len(kinds) + 1)]
    nodes = [kind(f"n{i}", i, [values[i]], [values[i + 1]]) for i, kind in enumerate(kinds)]
    outputs = [values[-1]] + ([] if also is None else [values[also + 1]])
    return Program("net", "0" * 64, nodes, values[:1], outputs)


def kernels_of(program: Program, *kernels: Kernel, **options: Any) -> list[str]:
    source = compile_program(program, "net", Options(**options), 0, kernels)
    return [layer.kernel for layer in source.manifest.layers]


def test_the_first_kernel_that_accepts_takes_a_node() -> None:
    quick, small = Fake("quick", Tanh, sizes=("speed",)), Fake("small", Tanh)
    assert kernels_of(chain(Tanh), quick, small) == ["quick"]
    assert kernels_of(chain(Tanh), quick, small, optimize="size") == ["small"]
    assert kernels_of(chain(Tanh), small, quick) == ["small"]


def test_chains_are_fused_for_the_best_kernel_that_wants_them() -> None:
    one, pair = Fake("one"), Fake("pair", pattern=(Tanh, Logistic))
    triple = Fake("triple", pattern=(Tanh, Logistic, Tanh))
    assert kernels_of(chain(Tanh, Logistic, Tanh, Logistic), one, pair) == ["pair", "pair"]
    assert kernels_of(chain(Tanh, Logistic, Tanh, Logistic), triple, pair, one) == ["triple", "one"]
    assert kernels_of(chain(Tanh, Logistic, Tanh, Logistic), pair, triple, one) == ["pair", "pair"]
    assert kernels_of(chain(Logistic, Tanh), one, pair) == ["one", "one"]


def test_what_something_else_reads_is_not_fused_away() -> None:
    assert kernels_of(chain(Tanh, Logistic, also=0), Fake("pair", pattern=(Tanh, Logistic)), Fake("one")) == [
        "one",
        "one",
    ]


def test_a_pattern_that_is_not_accepted_stays_apart() -> None:
    pair = Fake("pair", pattern=(Tanh, Logistic), sizes=("speed",))
    assert kernels_of(chain(Tanh, Logistic), pair, Fake("one"), optimize="size") == ["one", "one"]


def test_makers_and_readers_agree_on_a_layout() -> None:
    maker, reader = Fake("maker", Tanh, writes=(INT16, PLAIN)), Fake("reader", Logistic, reads=(PLAIN, INT16))
    kernels_of(chain(Tanh, Logistic), maker, reader)
    # The planner lowers layers with plain values first.
    assert (maker.seen[-1], reader.seen[-1]) == ((PLAIN, INT16), (INT16, PLAIN))


def test_a_reader_that_does_not_know_the_layout_keeps_it_plain() -> None:
    maker, reader = Fake("maker", Tanh, writes=(INT16, PLAIN)), Fake("reader", Logistic)
    kernels_of(chain(Tanh, Logistic), maker, reader)
    assert set(maker.seen) | set(reader.seen) == {(PLAIN, PLAIN)}


def test_inputs_and_outputs_are_always_plain() -> None:
    both = Fake("both", Tanh, reads=(PLAIN, INT16), writes=(INT16, PLAIN))
    kernels_of(chain(Tanh), both)
    kernels_of(chain(Tanh, Tanh, also=0), both)
    assert set(both.seen) == {(PLAIN, PLAIN)}


def test_missing_kernels_are_told_all_at_once() -> None:
    program = chain(Tanh, Logistic, Relu)
    with pytest.raises(CompileError, match=r"operator 0 \(TANH, n0\) of float32 .*; operator 2 \(RELU, n2\)"):
        kernels_of(program, Fake("one", Logistic))


@pytest.mark.parametrize("kind", [Tanh, ir.Add])
def test_what_is_supported_is_named_after_the_operator_that_lacks_a_kernel(kind: type[Node]) -> None:
    """A kernel for many kinds of operators has no name of its own for them, and says nothing about other kinds."""
    program = chain(kind)
    program.nodes[0].inputs *= 2
    for value in (program.inputs[0], program.nodes[0].output):
        value.dtype = "bool"
    with pytest.raises(CompileError) as caught:
        raise _missing(program, program.nodes, KERNELS)
    listed = (caught.value.hint or "").removeprefix("Supported: ").removesuffix(".").split("; ")
    assert listed
    assert {text.partition(":")[0] for text in listed} == {program.nodes[0].label}
    assert any("float32" in text for text in listed)


def test_a_kernel_of_bytes_by_a_table_is_for_functions_alone() -> None:
    program = chain(ir.Softmax)
    error = _missing(program, program.nodes, KERNELS)
    assert error.hint is not None
    assert "uint8" not in error.hint, "that is what tables can do"


def test_fused_nodes_know_their_ends_and_their_work() -> None:
    program = chain(Tanh, Logistic)
    fused = ir.Fused.of(*program.nodes)
    assert (fused.inputs, fused.outputs) == (program.inputs, program.outputs)
    assert (fused.label, fused.macs, fused.position) == ("TANH+LOGISTIC", 0, 0)
