"""Chains of compilers in a run: what they share is built once, and what is after an edited step is built anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
from edgerig.compilers.compression.prune_channels import PruneChannels
from edgerig.errors import IncompatibleError
from edgerig.report.variant.origin import artifact_facts
from edgerig.results.bundle import Bundle
from edgerig.results.types import RunResult

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dense network, and numbers that it tells apart."""
    from edgerig.models.keras.engine import import_keras, seeded

    layers, folder = import_keras().layers, tmp_path_factory.mktemp("chains")
    with seeded(2):
        model = import_keras().Sequential(
            [layers.Input((16,)), layers.Dense(24, activation="relu"), layers.Dense(3, activation="softmax")]
        )
    model.save(folder / "net.keras")
    samples = np.random.default_rng(0).normal(size=(90, 16)).astype(np.float32)
    labels = np.asarray(model(samples)).argmax(-1)
    np.savez(folder / "numbers.npz", x_train=samples, y_train=labels, x_test=samples[:40], y_test=labels[:40])
    return folder


def run(network: Path, out: Path, *compilers: Any) -> RunResult:
    return edgerig.run(
        {
            "model": {"file": str(network / "net.keras")},
            "dataset": {"use": "npz", "file": str(network / "numbers.npz")},
            "matrix": [{"compilers": list(compilers), "runtimes": ["litert"]}],
            "measure": {"rounds": 1, "seconds": 0, "warmup": 1, "profile": False, "transport_samples": 0},
        },
        out=out,
    )


def pruned(share: float) -> list[Any]:
    return [{"use": "prune", "share": share, "epochs": 0}, "int8"]


def test_an_edited_step_remakes_what_comes_after_it_and_nothing_else(network: Path, tmp_path: Path) -> None:
    first = run(network, tmp_path / "a", "int8", pruned(0.5))
    assert [cell.id for cell in first.cells] == ["int8-litert-local", "prune-epochs0-share0.5+int8-litert-local"]
    assert set(first.stages.values()) == {"built"}
    again = run(network, tmp_path / "b", "int8", pruned(0.5))
    assert set(again.stages.values()) == {"cached"}
    edited = run(network, tmp_path / "c", "int8", pruned(0.75))
    built = {name for name, how in edited.stages.items() if how == "built"}
    assert built == {
        "compile prune-epochs0-share0.75 of net",
        "compile float32 of net_prune",
        "compile int8 of net_prune",
    }
    hashes = [cell.artifact.sha256 for run_ in (first, again, edited) for cell in run_.cells]
    assert len(set(hashes)) == 3
    shares = [run_.cells[1].artifact.origins[-1].options["zero_weights"] for run_ in (first, edited)]
    assert [before for before, _ in shares] == pytest.approx([0.5, 0.75], abs=0.01)
    tools = [(origin.tool, origin.options.get("share")) for origin in edited.cells[1].artifact.origins]
    assert tools[-3:] == [("prune", 0.75), ("float32", None), ("int8", None)]
    facts = {fact.label: fact.value for fact in artifact_facts(edited.cells[1].artifact)}
    before, after = shares[1]
    assert facts["weights that are 0"] == f"{after:.2%} after int8, {before:.2%} before it"
    assert "weights that are 0" not in {fact.label for fact in artifact_facts(edited.cells[0].artifact)}


def test_steps_of_the_same_name_in_two_chains_are_told_apart(network: Path, tmp_path: Path) -> None:
    run(network, tmp_path / "a", pruned(0.25))
    both = run(network, tmp_path / "b", pruned(0.25), pruned(0.375)).stages
    steps = {name: how for name, how in both.items() if "net_prune" in name}
    assert steps == {
        "compile float32 of net_prune": "cached",
        "compile int8 of net_prune": "cached",
        "compile float32 of net_prune (2)": "built",
        "compile int8 of net_prune (2)": "built",
    }


def test_a_step_that_fails_ends_its_chain_alone(network: Path, tmp_path: Path) -> None:
    """One value for weights that are 0 and others is refused once the pruned network is there."""
    failing = [pruned(0.5)[0], {"use": "cluster", "values": 1, "epochs": 0}, "int8"]
    with pytest.raises(IncompatibleError, match="with one value they cannot stay so"):
        run(network, tmp_path / "out", failing, pruned(0.5))
    done, failed = Bundle(tmp_path / "out").read_cells(
        ["prune-epochs0-share0.5+int8-litert-local", "prune-epochs0-share0.5+cluster-epochs0-values1+int8-litert-local"]
    )
    assert [cell.variant for cell in done] == ["prune-epochs0-share0.5+int8"]
    assert ["cluster" in failure.id for failure in failed] == [True]


class Narrow(PruneChannels):
    """A compiler of the user's own, which is known by its class alone."""

    name = "narrow"


@pytest.mark.parametrize("compiler", ["prune-channels", f"{__name__}:Narrow"])
def test_the_counts_of_the_model_are_not_those_of_a_smaller_one(compiler: str, network: Path, tmp_path: Path) -> None:
    chain = [{"use": compiler, "share": 0.5, "epochs": 0}, "int8"]
    result = run(network, tmp_path / "out", chain)
    assert (result.model.parameters, result.model.macs) == (16 * 24 + 24 + 24 * 3 + 3, 16 * 24 + 24 * 3)
