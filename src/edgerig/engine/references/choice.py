"""Which float network each model of a run is compared with, and which of its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from edgerig.artifact import Artifact, TensorSpec
from edgerig.measure.kinds import Unavailable
from edgerig.rig.types import ModelPart
from edgerig.tensors import ORIGINAL_SCHEMES


class Choice(msgspec.Struct, frozen=True):
    """The label of the reference model, which may be the model itself, and the reason if it is a guess.

    ``label`` is None where the model names a file of its own, or has no reference; ``why`` then says what to do.
    """

    label: str | None
    why: str = ""


def choose_references(parts: Sequence[ModelPart], models: Mapping[str, Artifact]) -> dict[str, Choice]:
    """The reference of each model of a run, by label.

    In this order: the file that the model names; the model itself, if it is float; the model of the run that it was
    made from by its description; the only float model of the run with outputs of the same size, or the only one of its
    format among those.

    Args:
        parts: The models of the rig. models: their artifacts, by label.
    """
    return {part.label: _choice(part, models) for part in parts}


def _choice(part: ModelPart, models: Mapping[str, Artifact]) -> Choice:
    own = models[part.label]
    if part.reference:
        return Choice(None)
    if own.scheme in ORIGINAL_SCHEMES or len(models) == 1:
        return Choice(part.label)
    parents = {origin.parent for origin in own.origins}
    for label, model in models.items():
        if model.scheme in ORIGINAL_SCHEMES and model.sha256 in parents:
            return Choice(label)
    floats = [label for label, model in models.items() if model.scheme in ORIGINAL_SCHEMES and _alike(model, own)]
    same = [label for label in floats if models[label].format == own.format]
    # A run often has the same network in several formats.
    only, what = (floats, "float model") if len(floats) == 1 else (same, f"float {own.format} model")
    if len(only) == 1:
        return Choice(
            only[0],
            f"{part.label} is compared with {only[0]}, the only {what} beside it; name another by --reference, or "
            "'reference' in a rig file",
        )
    what = f"which of {', '.join(floats)} it came from" if floats else "the float model that it came from"
    is_said = "is not said" if floats else "was not given"
    return Choice(None, f"{part.label} is {own.scheme}, and {what} {is_said} (--reference)")


def _alike(network: Artifact, other: Artifact) -> bool:
    """Whether two networks give equally many values per sample."""
    return _values(network) == _values(other)


def _values(model: Artifact) -> float:
    """Values per sample of the scored output."""
    return _per_sample(model, model.outputs[model.judged_output])


class ComparedOutput(msgspec.Struct, frozen=True):
    """Which output of a reference is compared with the judged one, and what the reader is told where that is no matter
    of course."""

    position: int
    note: str = ""


def compared_output(own: Artifact, reference: Artifact) -> ComparedOutput | Unavailable:
    """The output of a reference file that is the judged one of ``own``: told by its name, or the only one that can be.

    Places say nothing: exporters list outputs in orders of their own.
    """
    names = [spec.name for spec in reference.outputs]
    judged = own.outputs[own.judged_output]
    if not own.output_named and len(own.outputs) > 1:
        return _all_outputs(own, reference)
    if judged.name in names:
        return ComparedOutput(names.index(judged.name))
    fitting = [
        position
        for position, spec in enumerate(reference.outputs)
        if _per_sample(reference, spec) == _per_sample(own, judged)
    ]
    if len(names) == 1:
        return ComparedOutput(0)
    if len(fitting) == 1:
        name = names[fitting[0]]
        return ComparedOutput(
            fitting[0],
            f"{own.name}: {judged.name!r} is compared with {name!r} of {reference.name}, the only output of its size.",
        )
    return Unavailable(
        f"{reference.name} has {len(names)} outputs ({', '.join(names)}), and none is called {judged.name!r}: which of "
        "them is to be compared is not known. Export it with the same names"
    )


def _all_outputs(own: Artifact, reference: Artifact) -> ComparedOutput | Unavailable:
    """Whether all outputs of two files can be compared one by one."""
    ours, theirs = [spec.name for spec in own.outputs], [spec.name for spec in reference.outputs]
    if ours == theirs:
        return ComparedOutput(0)
    if sorted(ours) == sorted(theirs):
        return Unavailable(
            f"{reference.name} has its outputs in another order ({', '.join(theirs)}) than {own.name} "
            f"({', '.join(ours)}). Export it with the same order, or say which output is compared (--output)"
        )
    return ComparedOutput(
        0,
        f"{own.name} and {reference.name} call their outputs differently: they are compared in the order of the files.",
    )


def _per_sample(artifact: Artifact, spec: TensorSpec) -> float:
    return spec.elements / max(artifact.inputs[0].batch if artifact.inputs else 1, 1)
