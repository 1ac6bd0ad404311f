"""Why a kernel does not take a node: a value that is false, with its reason in words.

Checks of a kernel are joined by ``and``: the first that fails is the answer of `Kernel.accepts`::

    return require(width >= 2, "images of one column") and exact(parameters(node))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgerig.text import counted as counted


@dataclass(frozen=True)
class Refusal:
    """The negative answer of a kernel to one node; stands in the manifest and in ``edgerig compile --explain``.

    Attributes:
        reason: A clause with figures, as in "5x5 window, 3x3 is needed".
    """

    reason: str

    def __bool__(self) -> Literal[False]:
        return False


#: True: the kernel takes the node. False: it is for other types of data or nodes, which is not worth a reason.
Answer = bool | Refusal


def require(condition: bool, reason: str) -> Answer:
    """True, or the refusal for ``reason`` where the condition does not hold."""
    return True if condition else Refusal(reason)


def exact(result: object) -> Answer:
    """True where parameters could be worked out, else the refusal that stands in their place."""
    return result if isinstance(result, Refusal) else True


def by(sizes: tuple[int, ...]) -> str:
    """A window, a stride or a shape in words: 3x3."""
    return "x".join(map(str, sizes))
