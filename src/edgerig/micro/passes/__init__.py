"""Passes over the representation, one file each, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from edgerig.micro.ir import Program
from edgerig.micro.passes.canonical import canonical
from edgerig.micro.passes.fold import fold
from edgerig.micro.passes.unused import drop_unused

PASSES: tuple[Callable[[Program], None], ...] = (fold, canonical, drop_unused)
