"""How the layers of a network are named where operators of its files are told to be theirs."""

from __future__ import annotations

from typing import Literal

import msgspec

#: Where the names of the rows are from: layers of the source network, scopes of names in the file, or tensors of the
#: file, whose layer is not known.
NameSource = Literal["layer", "scope", "tensor"]


class LayerKey(msgspec.Struct, frozen=True):
    """The layers that an operator belongs to, or the one tensor that it computes where no layer is known."""

    names: tuple[str, ...]
    named_by: NameSource

    @property
    def label(self) -> str:
        """As it is shown: ``flatten + probabilities``; tensors in brackets."""
        text = " + ".join(self.names)
        return f"[{text}]" if self.named_by == "tensor" else text
