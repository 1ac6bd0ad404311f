"""Memory plans: sound on any graph, and as good as they can be on small ones."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.models.graph import Graph, Operator, Tensor
from edgerig.models.graph.memory import Placement, _height, _place, activation_memory


def chain(*sizes: int, ops: list[str] | None = None, outputs: tuple[int, ...] = ()) -> Graph:
    """Operators in a row over tensors of so many bytes."""
    names = ops or ["RELU"] * (len(sizes) - 1)
    return Graph(
        name="chain",
        format="tflite",
        tensors=tuple(Tensor(index=i, name=f"t{i}", shape=(size,), dtype="int8") for i, size in enumerate(sizes)),
        operators=tuple(
            Operator(index=i, op=op, name=f"o{i}", inputs=(i,), outputs=(i + 1,)) for i, op in enumerate(names)
        ),
        inputs=(0,),
        outputs=outputs or (len(sizes) - 1,),
    )


def test_a_chain_needs_its_largest_neighbours() -> None:
    found = activation_memory(chain(10, 100, 30, 50, 5))
    assert (found.plain_sum, found.planned, found.lower_bound) == (195, 130, 130)
    assert found.peak_operator == 1


def test_a_view_takes_no_memory_of_its_own() -> None:
    found = activation_memory(chain(10, 100, 100, 5, ops=["RELU", "RESHAPE", "RELU"]))
    assert (found.plain_sum, found.planned) == (115, 110)
    assert {piece.tensors for piece in found.placements} == {(0,), (1, 2), (3,)}


def test_an_output_stays_until_the_end() -> None:
    assert activation_memory(chain(1, 100, 2, 3, outputs=(3,))).planned == 102
    assert activation_memory(chain(1, 100, 2, 3, outputs=(1, 3))).planned == 105


def test_a_graph_without_operators_has_no_peak() -> None:
    graph = Graph(name="e", format="tflite", tensors=(), operators=(), inputs=(), outputs=())
    found = activation_memory(graph)
    assert (found.plain_sum, found.planned, found.peak_operator) == (0, 0, None)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 9))
    operators = []
    for index in range(count):
        inputs = draw(st.lists(st.integers(0, index), min_size=1, max_size=3))
        op = draw(st.sampled_from(["ADD", "RESHAPE", "RELU"]))
        operators.append(Operator(index=index, op=op, name="o", inputs=tuple(inputs), outputs=(index + 1,)))
    sizes = draw(st.lists(st.integers(0, 40), min_size=count + 1, max_size=count + 1))
    tensors = tuple(Tensor(index=i, name=f"t{i}", shape=(size,), dtype="int8") for i, size in enumerate(sizes))
    outputs = draw(st.lists(st.integers(0, count), min_size=1, max_size=2, unique=True))
    return Graph(
        name="g", format="tflite", tensors=tensors, operators=tuple(operators), inputs=(0,), outputs=tuple(outputs)
    )


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_no_two_that_live_at_once_overlap(graph: Graph) -> None:
    found = activation_memory(graph)
    for one, other in itertools.combinations(found.placements, 2):
        together = one.first <= other.last and other.first <= one.last
        apart = one.offset + one.nbytes <= other.offset or other.offset + other.nbytes <= one.offset
        assert apart or not together
    assert found.lower_bound <= found.planned <= found.plain_sum
    placed = {index for piece in found.placements for index in piece.tensors}
    assert {tensor.index for tensor in graph.tensors if tensor.nbytes} <= placed


def optimum(pieces: tuple[Placement, ...]) -> int:
    """By trying every order; some order of lowest-fit is optimal."""
    return min(_height(_place(order)) for order in itertools.permutations(pieces))


@settings(max_examples=60, deadline=None)
@given(graphs().filter(lambda graph: len(graph.tensors) <= 7))
def test_small_plans_are_the_best_there_are(graph: Graph) -> None:
    found = activation_memory(graph)
    assert found.planned == optimum(found.placements)
