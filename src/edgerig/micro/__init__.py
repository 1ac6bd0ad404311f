"""The C compiler for microcontrollers: TFLite in, a folder of plain C99 out.

The way of a network: `frontend` (read and checked) to `ir` (typed), `arithmetic` (scales, tables), `passes`, `select`
(kernels, fusing, layouts), `kernels` (lowering), `memory` (one arena), `emit` (text). `compile_model` runs it.
"""

from edgerig.micro.emit.manifest import Manifest
from edgerig.micro.emit.source import Source
from edgerig.micro.options import CPUS, Options
from edgerig.micro.pipeline import compile_model

__all__ = ["CPUS", "Manifest", "Options", "Source", "compile_model"]
