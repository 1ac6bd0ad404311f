"""No layer reads what the memory plan does not keep, and none writes where something else is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.testing.networks.generated import load, load_all
from edgerig.testing.networks.known_networks import digits, mlperf_tiny, wake_words
from edgerig.testing.networks.poisoned import PoisonedNetwork
from edgerig.testing.networks.random_networks import NETWORKS, random_graph, random_network
from edgerig.testing.networks.random_operators import OPERATORS, random_inputs, random_operator
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance


def hold(data: bytes, network: PoisonedNetwork, times: int = 3) -> None:
    oracle = Oracle(data)
    for seed, inputs in enumerate(random_inputs(network.network.manifest.inputs, times, 5)):
        for expected, found in zip(oracle.run(inputs), network.run(inputs, seed), strict=True):
            assert difference(expected, found) <= tolerance(expected.dtype), network.network.manifest.name


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", pytest.param("float32", marks=pytest.mark.slow)])
def test_single_operators_keep_to_their_memory(dtype: str, tmp_path: Path) -> None:
    files = {f"{op}_{seed}": random_operator(op, 50 + seed, dtype) for op in OPERATORS for seed in range(2)}
    networks = load_all([compile_model(data, name, Options()) for name, data in files.items()], tmp_path, ("-O1",))
    for data, network in zip(files.values(), networks, strict=True):
        hold(data, PoisonedNetwork(network))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_with_branches_keep_to_their_memory(name: str, dtype: str, tmp_path: Path) -> None:
    data = random_network(name, dtype)
    source = compile_model(data, "net", Options())
    hold(data, PoisonedNetwork(load(source, tmp_path)))
    assert source.manifest.memory.arena <= 1.05 * source.manifest.memory.lower_bound


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_random_graphs_are_right_and_keep_to_their_memory(dtype: str, tmp_path: Path) -> None:
    """Branches, joins, views, outputs in the midst of it: passes, fusing and the planner together."""
    files = {f"g{seed}": random_graph(seed, dtype) for seed in range(40)}
    sources = [compile_model(data, name, Options()) for name, data in files.items()]
    for source in sources:
        memory = source.manifest.memory
        # Where layers may lie over their inputs, not all that two may share can be shared at once.
        assert memory.lower_bound <= memory.arena <= max(1.05 * memory.lower_bound, memory.lower_bound + 32)
    for data, network in zip(files.values(), load_all(sources, tmp_path, ("-O1",)), strict=True):
        hold(data, PoisonedNetwork(network))


@pytest.mark.slow
def test_published_networks_keep_to_their_memory(tmp_path: Path) -> None:
    files = {**mlperf_tiny(), **wake_words(), "digits": digits()}
    for data, network in zip(
        files.values(),
        load_all([compile_model(data, name, Options()) for name, data in files.items()], tmp_path),
        strict=True,
    ):
        hold(data, PoisonedNetwork(network))


def test_a_plan_that_keeps_too_little_is_caught(tmp_path: Path) -> None:
    """The proof itself: one piece is said to end a layer too early, or to be a byte too short."""
    network = load(compile_model(random_network("resnet"), "net", Options()), tmp_path)
    inputs = random_inputs(network.manifest.inputs, 1, 0)[0]
    expected = network.run(inputs)[0]
    assert (PoisonedNetwork(network).run(inputs, 1)[0] == expected).all()
    plan = network.manifest.memory
    longest = max(plan.pieces, key=lambda piece: piece.last - piece.first)

    def with_piece(**changes: int) -> PoisonedNetwork:
        pieces = tuple(replace(one, **changes) if one is longest else one for one in plan.pieces)
        network.manifest = replace(network.manifest, memory=replace(plan, pieces=pieces))
        return PoisonedNetwork(network)

    assert (with_piece(last=longest.last - 1).run(inputs, 1)[0] != expected).any()
    with pytest.raises(CompileError, match="wrote to offset"):
        with_piece(bytes=longest.bytes - 1).run(inputs, 1)
