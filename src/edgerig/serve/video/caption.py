"""What a network says of a frame, in a line of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from edgerig.serve.video.answers import Answer, shares_of

#: Classes that are named, and the share of pixels from which a mask's class is.
NAMED, SHARE = 3, 0.005


def caption_of(answer: Answer, names: Sequence[str]) -> str:
    """The most likely classes, the largest parts of a mask, or how many boxes of each class.

    >>> caption_of(Answer(confidence=0.9, scores=np.float32([0.1, 0.9])), ["cat", "dog"])
    'dog: 90 %, cat: 10 %'
    """

    def name(number: int) -> str:
        return names[number] if 0 <= number < len(names) else f"class {number}"

    if answer.scores is not None:
        best = np.argsort(-answer.scores, kind="stable")[:NAMED]
        return ", ".join(f"{name(int(n))}: {100 * answer.scores[n]:.0f} %" for n in best)
    if answer.class_map is not None:
        shares = shares_of(answer.class_map, len(names))
        largest = [int(n) for n in np.argsort(-shares, kind="stable")[:NAMED] if shares[n] >= SHARE]
        return ", ".join(f"{name(n)}: {100 * shares[n]:.0f} %" for n in largest)
    labels = Counter(int(label) for label in answer.box_labels) if answer.box_labels is not None else Counter()
    return ", ".join(f"{count} {name(label)}" for label, count in labels.most_common()) or "nothing"
