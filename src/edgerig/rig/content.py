"""What the files of a rig's models hold, held against what runtimes can run: each pair is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgerig import formats
from edgerig.errors import MissingExtraError
from edgerig.rig.types import ModelPart
from edgerig.rig.usual_way import format_of_model
from edgerig.runtimes.base import Runtime


class Contents:
    """The models of a rig, by their labels."""

    def __init__(self, models: Sequence[ModelPart]) -> None:
        self._models = {part.label: part for part in models}
        self._answers: dict[tuple[str, str, type[Runtime]], str | None] = {}

    def refuse(self, model: str, compiled: bool, format: str, runtime: type[Runtime]) -> str | None:
        """Why ``runtime`` cannot run what a model's file holds or, where it is ``compiled`` to ``format`` before, what
        becomes of it; None where nothing is known to be in the way."""
        key = (model, format if compiled else "", runtime)
        if key not in self._answers:
            part = self._models[model]
            if not compiled:
                self._answers[key] = _refused(part, runtime) if part.file else None
            else:
                networks = formats.named(format_of_model(part).name).networks
                self._answers[key] = runtime.refuses_networks(format) if networks else None
        return self._answers[key]


def _refused(part: ModelPart, runtime: type[Runtime]) -> str | None:
    from edgerig.models.files import open_artifact

    try:
        return runtime.refuses_content(open_artifact(Path(part.file or ""), options=part.options))
    except MissingExtraError:
        # What is not installed is said with all else that is not.
        return None
