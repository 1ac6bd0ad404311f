"""Keras 3 on JAX: importing and seeding it."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from types import ModuleType

import numpy as np

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
        import jax  # noqa: F401 - otherwise Keras itself would fail, with a less helpful message
        import keras
    except ImportError as error:
        raise MissingExtraError("Training", "train", error.name or "keras") from error
    _refuse_backend(keras.backend.backend())
    if keras.config.image_data_format() != "channels_last":
        keras.config.set_image_data_format("channels_last")
    module: ModuleType = keras
    return module


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
