"""The code in C that looks after connections of a digits server, built by this machine's C compiler on first use."""

from __future__ import annotations

import ctypes
import logging
import math
import shutil
import tempfile
import threading
from ctypes import c_char_p, c_float, c_int, c_int32, c_uint32, c_uint64, c_void_p
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.boards.board import firmware_folder
from edgerig.errors import EdgerigError
from edgerig.runtimes.c_library import build_library, c_compiler
from edgerig.serve.conversions import FEW, Array, Conversion, one_scale_of_bytes
from edgerig.serve.records import BUCKETS
from edgerig.serve.sockets import available
from edgerig.tensors import TensorSpec

_logger = logging.getLogger(__name__)
#: Folders of its sources. What is declared here is that of `firmware/digits_front/front.h`.
SOURCES = ("digits", "digits_front")
_REAL = np.dtype(np.float32)
BUCKET_COUNT = len(BUCKETS) + 1
_Buckets = c_uint64 * BUCKET_COUNT
#: Kinds of events.
NOTHING, ANSWERED, REFUSED, UNFINISHED, FAILED, OVERLOADED, LOST, NONSENSE = range(8)


class FrontInput(ctypes.Structure):
    """``front_input``."""

    _fields_ = (
        ("integers", c_int32), ("scale", c_float), ("zero_point", c_int32), ("least", c_int32), ("most", c_int32),
    )  # fmt: skip


class FrontSettings(ctypes.Structure):
    """``front_settings``."""

    _fields_ = (
        ("input", FrontInput), ("listener", c_int32), ("table", ctypes.POINTER(c_float)), ("stats", c_char_p),
        ("queue", c_uint32), ("batch", c_uint32), ("batch_ns", c_uint64), ("worth_ns", c_uint64), ("logs", c_uint32),
        ("bounds", ctypes.POINTER(c_uint64)),
    )  # fmt: skip


class FrontRing(ctypes.Structure):
    """``front_ring``."""

    _fields_ = (
        ("head", c_void_p), ("times", c_void_p), ("inputs", c_void_p), ("outputs", c_void_p), ("slot_bytes", c_uint64),
        ("slots", c_uint32), ("rows", c_uint32), ("requests", c_int32), ("answers", c_int32),
    )  # fmt: skip


class FrontCounts(ctypes.Structure):
    """``front_counts``."""

    _fields_ = (
        ("connections", c_uint32), ("exhausted", c_uint32), ("waiting", c_uint32), ("running", c_uint32),
        ("events", c_uint32), ("unused", c_uint32), ("requests", c_uint64), ("handler_ns", c_uint64),
        ("queue_ns", c_uint64), ("network_ns", c_uint64), ("handler", _Buckets), ("queue", _Buckets),
        ("network", _Buckets), ("executions", c_uint64), ("executed_ns", c_uint64), ("input_ns", c_uint64),
        ("output_ns", c_uint64), ("last_ns", c_uint64),
    )  # fmt: skip


class FrontEvent(ctypes.Structure):
    """``front_event``."""

    _fields_ = (
        ("kind", c_uint32), ("lane", c_uint32), ("handler_ns", c_uint64), ("queue_ns", c_uint64),
        ("network_ns", c_uint64), ("length", c_uint32), ("unused", c_uint32), ("failure", c_void_p),
    )  # fmt: skip


@lru_cache(1)
def front_library() -> ctypes.CDLL | None:
    """The library; None where it cannot be had, which the log tells."""
    try:
        if not available():
            reason = "this system has no epoll"
        elif c_compiler() is None:
            reason = "this machine has no C compiler"
        else:
            return _declared(_built())
    except (EdgerigError, OSError) as error:
        reason = str(error)
    _logger.warning("connections of digits are looked after in Python, which is slower: %s", reason)
    return None


def _built() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory(prefix="edgerig-front-") as folder:
        sources, library = Path(folder) / "sources", Path(folder) / "digits_front.so"
        for name in SOURCES:
            shutil.copytree(firmware_folder() / name, sources / name)
        build_library(sources, library, "3")
        # Mapped: its file is needed no more.
        return ctypes.CDLL(str(library))


def input_of(spec: TensorSpec) -> FrontInput:
    """What a network takes that takes floats, or integers of `one_scale_of_bytes`."""
    if spec.dtype == "float32":
        return FrontInput()
    assert spec.quantization is not None
    limits, quantization = np.iinfo(spec.dtype), spec.quantization
    return FrontInput(1, quantization.scales[0], quantization.zero_point, limits.min, limits.max)


def quantizer_in_c(library: ctypes.CDLL, spec: TensorSpec, otherwise: Conversion) -> Conversion:
    """Quantizes real numbers as ``otherwise`` does, which gets what it does not know: 784 of them in 2.5 us
    instead of 4.5.

    >>> from edgerig.artifact import Quantization
    >>> spec = TensorSpec("x", (1, 3), "int8", Quantization((0.5,), (-128,)))
    >>> if (library := front_library()) is not None:
    ...     assert quantizer_in_c(library, spec, list)(np.float32([[0, 1, 99]])).tolist() == [[-128, -126, 70]]
    """
    if not one_scale_of_bytes(spec):
        return otherwise
    run, how, space = library.front_quantize, ctypes.pointer(input_of(spec)), _Space(np.dtype(spec.dtype))

    def quickly(x: Array) -> Array:
        if x.dtype != _REAL or x.size > FEW:
            return otherwise(x)
        if x.shape != space.shape:
            space.take(x.shape)
        # An array tells its address in 1 us, which takes longer than a copy of it.
        np.copyto(space.reals, x)
        return space.integers.copy() if run(space.into, space.out, x.size, how) else otherwise(x)

    return quickly


class _Space(threading.local):
    """Each thread's own, where C finds real numbers and puts integers."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._reals, self._integers = np.empty(FEW, np.float32), np.empty(FEW, dtype)
        self.into, self.out = self._integers.ctypes.data, self._reals.ctypes.data
        self.take((FEW,))

    def take(self, shape: tuple[int, ...]) -> None:
        """Have room for an array of at most `FEW` elements."""
        count = math.prod(shape)
        self.shape = shape
        self.reals: Array = self._reals[:count].reshape(shape)
        self.integers: Array = self._integers[:count].reshape(shape)


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    front, lane, pointer = c_void_p, c_int32, ctypes.POINTER
    functions = {
        "front_quantize": ([c_void_p, c_void_p, c_uint32, pointer(FrontInput)], c_int32),
        "front_open": ([pointer(FrontSettings)], front),
        "front_descriptor": ([front], c_int),
        "front_counted": ([front], pointer(FrontCounts)),
        "front_look": ([front], None),
        "front_take_event": ([front, pointer(FrontEvent)], None),
        "front_attach": ([front, pointer(FrontRing)], lane),
        "front_detach": ([front, lane], None),
        "front_since": ([front, lane], c_uint64),
        "front_reachable": ([front, c_int32], None),
        "front_resume": ([front], None),
        "front_sweep": ([front, c_uint64, c_uint64, c_uint64], None),
        "front_finish": ([front], None),
        "front_close": ([front], None),
    }
    for name, (arguments, result) in functions.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library
