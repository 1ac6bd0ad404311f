"""Judges what a cell's network answered: quality by the labels, agreement with its float model, fit of the input."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from edgerig.artifact import Artifact
from edgerig.datasets.images import dark_pictures
from edgerig.datasets.input_fit import InputFit, fits_of, judge_fits
from edgerig.datasets.network_inputs import inputs_of
from edgerig.datasets.real_input_fit import LOOKED_AT, judge_real_inputs
from edgerig.datasets.samples import FileSamples
from edgerig.engine.info import changes_weights
from edgerig.engine.rounds.category_codes import judge_codes
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.rounds.same_network import unlike_reference
from edgerig.engine.rounds.steady import Steady
from edgerig.measure.kinds import Unavailable
from edgerig.tasks.base import Reference
from edgerig.tasks.judgement import Agreement, Quality
from edgerig.tasks.metrics.chance import beats_majority
from edgerig.tensors import ORIGINAL_SCHEMES

#: Instead of a quality, of a network that was built and not trained.
NOT_TRAINED = (
    "The network was not trained (epochs: 0): its answers mean nothing, so no quality is told. Times, size and memory "
    "are those of a trained one."
)


def score(context: CellContext, steady: Steady) -> tuple[Quality, Agreement | Unavailable, InputFit | None]:
    """Quality of the outputs against the labels, and agreement with the float model."""
    samples, reference = context.samples, context.reference.reference
    task = samples.task.with_choice(context.reference.choice)
    network = inputs_of(context.artifact)
    fits = fits_of(steady.fit, network.specs)
    quality = task.judge(steady.kept, samples.samples)
    if task.one_output or context.artifact.output_named or len(context.artifact.outputs) == 1:
        quality = tell_output(quality, context.artifact)
    agreement: Agreement | Unavailable
    if isinstance(reference, Unavailable):
        agreement = reference
    else:
        agreement = task.compare(steady.kept, reference, samples.samples, context.measure.pictures)
        quality = replace(quality, warnings=(*quality.warnings, *_unlike_reference(context, steady, reference)))
    unfit = (*judge_fits(fits, network.names, reach=bool(quality.metrics)), *_judge_real_inputs(context, quality))
    if quality.metrics:
        quality = replace(quality, warnings=(*unfit, *quality.warnings))
    if isinstance(agreement, Agreement):
        agreement = replace(agreement, warnings=(*unfit, *agreement.warnings))
    if context.artifact.untrained:
        quality = Quality(samples=quality.samples, warnings=(NOT_TRAINED,))
    return quality, agreement, fits[0] if len(fits) == 1 else None


def _unlike_reference(context: CellContext, steady: Steady, reference: Reference) -> tuple[str, ...]:
    """A warning where the engine computes a float network otherwise than its reference.

    Integers are meant to, and so are the weights of a compiler that prunes: they are others than the reference's.
    """
    if context.artifact.scheme not in ORIGINAL_SCHEMES or changes_weights(context.cell.compilers):
        return ()
    kept = steady.kept[context.samples.task.identity]
    text = unlike_reference(kept, reference.predictions, context.cell.runtime.use, context.reference.noise)
    return () if text is None else (text,)


def _judge_real_inputs(context: CellContext, quality: Quality) -> list[str]:
    """Warnings about float inputs, by the first samples."""
    samples, network = context.samples.samples, inputs_of(context.artifact)
    if not context.samples.task.judged or not len(samples) or not quality.metrics:
        return []
    few = slice(0, min(LOOKED_AT, len(samples)))
    values = network.fitted(
        samples.named_inputs(few, context.artifact.preprocessing), context.samples.dataset.name, judged=False
    )
    dark = dark_pictures(samples.paths[:LOOKED_AT]) if isinstance(samples, FileSamples) else None
    codes = judge_codes(context.artifact, values[0]) if len(values) == 1 else []
    guesses = bool(quality.confusion) and not beats_majority(np.array(quality.confusion, np.int64))
    return (
        ([] if dark is None else [dark])
        + codes
        + judge_real_inputs(
            dict(zip(network.names, values, strict=True)),
            samples.raw(0),
            dict(zip(network.names, network.specs, strict=True)),
            guesses=guesses,
        )
    )


def tell_output(quality: Quality, artifact: Artifact) -> Quality:
    """``quality`` with the name of the scored output, where the network has several."""
    names = [spec.name for spec in artifact.outputs]
    others = [name for index, name in enumerate(names) if index != artifact.judged_output]
    if not others and not artifact.left_out:
        return quality
    return replace(quality, output=names[artifact.judged_output], others=(*others, *artifact.left_out))
