"""How samples come to a network: one by one, or all there at once and taken in batches."""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Quantity, Unavailable


class BatchAgreement(msgspec.Struct, frozen=True, kw_only=True, tag="batch agreement", tag_field="is"):
    """The outputs of the same file at a set batch, held against those at its own batch, sample by sample.

    Attributes:
        samples: How many were compared.
        same_class: Share of the samples with the same largest output; of one value a sample, 1.
        max_abs_error, mean_abs_error: Of all output values, dequantized.
    """

    samples: int
    same_class: float
    max_abs_error: float
    mean_abs_error: float


class Offline(msgspec.Struct, frozen=True, kw_only=True):
    """The scenario *offline* of a cell: all samples are there, and are taken ``batch`` at a time.

    Attributes:
        batch: Samples of a batch.
        inferences: Inferences that a batch takes, one after another: 1 where the network takes it at once.
        in_turn: Why it takes several, in a sentence; None where it takes one.
        throughput: Samples a second: ``batch`` / ``per_batch``.
        per_batch: Seconds of a batch: median of a round, median of the rounds with the 95 % interval between them.
        per_sample: ``per_batch`` / ``batch``.
        agreement: With the outputs at the file's own batch; None where the batch is not one that was set.
        round_seconds: Seconds of a batch of each round, the medians behind ``per_batch``; none where a model computes
            the times, and in bundles from before they were kept.
    """

    batch: int
    inferences: int
    in_turn: str | None
    throughput: Quantity
    per_batch: Quantity
    per_sample: Quantity
    agreement: BatchAgreement | Unavailable | None = None
    round_seconds: tuple[float, ...] = ()
