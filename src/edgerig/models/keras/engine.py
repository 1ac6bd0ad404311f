"""Keras 3 on JAX: importing and seeding it."""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from edgerig.collector import paused_collector
from edgerig.errors import MissingExtraError, UsageError

BACKEND = "jax"


def import_keras() -> ModuleType:
    """Keras, on JAX, quiet, with channels last.

    Raises:
        MissingExtraError: Keras or JAX is not installed.
        UsageError: The user chose another backend.
    """
    os.environ.setdefault("KERAS_BACKEND", BACKEND)
    # XLA's C++ logs (level 1 is info, 2 warning) would interleave with the progress bars.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _refuse_backend(os.environ["KERAS_BACKEND"])
    try:
        hidden = not {"keras", "sklearn"} & sys.modules.keys()
        with paused_collector(), _without("sklearn"):
            import jax  # noqa: F401 - otherwise Keras itself would fail, with a less helpful message
            import keras
        if hidden:
            _import_wrappers_when_asked(keras)
    except ImportError as error:
        raise MissingExtraError("Training", "train", error.name or "keras") from error
    _refuse_backend(keras.backend.backend())
    if keras.config.image_data_format() != "channels_last":
        keras.config.set_image_data_format("channels_last")
    module: ModuleType = keras
    return module


@contextlib.contextmanager
def _without(name: str) -> Iterator[None]:
    """Let an import do without a package that it only tries, unless that is imported already.

    Keras has wrappers for scikit-learn, whose import is a third of Keras's own: each process would pay it.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def _import_wrappers_when_asked(keras: ModuleType) -> None:
    """Let ``keras.wrappers`` be imported anew, with scikit-learn, by who uses it: those that are there do without."""
    for name in [name for name in sys.modules if f"{name}.".startswith(("keras.wrappers.", "keras.src.wrappers."))]:
        del sys.modules[name]
    del keras.wrappers

    def attribute(name: str) -> ModuleType:
        if name == "wrappers":
            return importlib.import_module("keras.wrappers")
        raise AttributeError(f"module 'keras' has no attribute {name!r}")

    vars(keras)["__getattr__"] = attribute


def _refuse_backend(name: str) -> None:
    if name != BACKEND:
        raise UsageError(
            f"Keras is set to the backend {name!r} (KERAS_BACKEND); edgerig trains with {BACKEND!r} only.",
            f"Run with KERAS_BACKEND={BACKEND}, or unset it.",
        )


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Keras initializes weights from ``seed`` within the block; the caller's random state is restored after it."""
    keras = import_keras()
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
