"""PyTorch: importing and seeding it."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from types import ModuleType

from edgerig.collector import paused_collector
from edgerig.errors import MissingExtraError


def import_torch() -> ModuleType:
    """PyTorch.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        with paused_collector():
            import torch
    except ImportError as error:
        raise MissingExtraError("PyTorch", "torch", error.name or "torch") from error
    module: ModuleType = torch
    return module


@contextlib.contextmanager
def deterministic(seed: int | None = None) -> Iterator[None]:
    """PyTorch computes alike each time within the block, with random numbers from ``seed``; as before after it."""
    torch = import_torch()
    before = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.use_deterministic_algorithms(True)
        if seed is not None:
            torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what PyTorch's exporters log and warn of to themselves; their errors are raised."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch.export", "torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
