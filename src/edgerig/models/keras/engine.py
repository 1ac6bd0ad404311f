"""Keras 3 on JAX: importing and seeding it."""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import numpy as np

from edgerig.collector import paused_collector
from edgerig.errors import MissingExtraError, UsageError
from edgerig.late_imports import imported_later

BACKEND = "jax"
#: What Keras imports only if it is there: its wrappers for scikit-learn, tables as inputs, and views of files in a
#: notebook, which has IPython imported already. They take half of Keras's own import, and each process would pay it.
_OPTIONAL = ("sklearn", "pandas", "IPython")
_SPLASH = "jax.experimental.pallas.ops.tpu.splash_attention"
#: What Keras and JAX import for single functions, a quarter of the import: equations of sparse matrices, a callback
#: that calls a server, printed summaries, and attention on TPUs.
_SELDOM_USED = (
    *("scipy", "scipy.sparse", "scipy.sparse.linalg", "requests", "rich", "rich.console", "rich.markup", "rich.table"),
    *(_SPLASH, f"{_SPLASH}.splash_attention_kernel", f"{_SPLASH}.splash_attention_mask"),
)


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
        first, hidden = "keras" not in sys.modules, {*_OPTIONAL} - sys.modules.keys()
        with paused_collector(), _without(*_OPTIONAL), imported_later(*_SELDOM_USED):
            import jax  # noqa: F401 - otherwise Keras itself would fail, with a less helpful message
            import keras
        if first and "sklearn" in hidden:
            _import_wrappers_when_asked(keras)
        if first and "pandas" in hidden:
            _know_tables_by_their_kind()
    except ImportError as error:
        raise MissingExtraError("Training", "train", error.name or "keras") from error
    _refuse_backend(keras.backend.backend())
    if keras.config.image_data_format() != "channels_last":
        keras.config.set_image_data_format("channels_last")
    module: ModuleType = keras
    return module


@contextlib.contextmanager
def _without(*names: str) -> Iterator[None]:
    """Let an import do without packages that it only tries, unless they are imported already."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
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


class _TableKind(type):
    """A class of pandas that need not be imported: there are instances of it only where it is."""

    def __instancecheck__(cls, instance: object) -> bool:
        pandas = sys.modules.get("pandas")
        return isinstance(instance, getattr(pandas, cls.__name__, ()))


def _know_tables_by_their_kind() -> None:
    """Let Keras take a Series or a DataFrame as input although it was imported without pandas."""
    try:
        slicing = importlib.import_module("keras.src.trainers.data_adapters.array_slicing")
    except ImportError:
        return  # another version of Keras, which has them elsewhere
    if getattr(slicing, "pandas", ...) is None:
        kinds = {name: _TableKind(name, (), {}) for name in ("Series", "DataFrame")}
        vars(slicing).update(pandas=SimpleNamespace(**kinds), ARRAY_TYPES=(*slicing.ARRAY_TYPES, *kinds.values()))


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
