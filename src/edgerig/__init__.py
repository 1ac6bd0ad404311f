"""edgerig: a test rig for neural networks on edge devices.

>>> import edgerig
>>> edgerig.__version__
'0.1.0'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["__version__", "run"]

if TYPE_CHECKING:
    from edgerig import serve as serve
    from edgerig.api import run


def __getattr__(name: str) -> Any:
    # Deferred: importing edgerig must not import numpy, which would slow down `edgerig --help`.
    if name == "run":
        from edgerig.api import run

        return run
    if name == "serve":
        import importlib

        return importlib.import_module("edgerig.serve")
    raise AttributeError(f"module 'edgerig' has no attribute {name!r}")
