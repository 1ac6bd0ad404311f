"""Trainings that share their compiled steps give the files that they give alone."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.models.conftest import Patterns, TinyNet

from edgerig.models.keras.steps import Trainer
from edgerig.testing.contracts.model import BRIEF
from edgerig.testing.shared_steps import shared_steps


class Equal(TinyNet):
    """Equal to every other of its kind, as a dataclass may be, and without a hash."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.slow
def test_files_are_those_of_trainings_alone_and_steps_are_compiled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Trainer] = []
    compile_step = Trainer._compile

    def counted(self: Trainer) -> object:
        compiled.append(self)
        return compile_step(self)

    monkeypatch.setattr(Trainer, "_compile", counted)
    network, patterns, other = Equal(), Patterns(), msgspec.structs.replace(BRIEF, seed=BRIEF.seed + 1)
    with shared_steps(network):
        first, second = (network.train(patterns, settings, tmp_path / "shared").sha256 for settings in (BRIEF, other))
        assert len(compiled) == 1
        assert network.train(patterns, BRIEF, tmp_path / "again").sha256 == first
    with shared_steps(another := Equal()):
        assert another.train(patterns, other, tmp_path / "another").sha256 == second
    assert len(compiled) == 2
    assert network.train(patterns, BRIEF, tmp_path / "alone").sha256 == first != second
    assert len(compiled) == 3
