"""Delegates of LiteRT from libraries: which are loaded, with what options, and which operators each has taken.

A library has the functions ``tflite_plugin_create_delegate`` and ``tflite_plugin_destroy_delegate``
(tensorflow/lite/delegates/external/external_delegate_interface.h).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgerig.errors import InferenceError
from edgerig.text import cause_of

#: The setting: libraries in the order in which they may take operators, each perhaps with options: ``{library: {..}}``.
Delegates = list[str | dict[str, dict[str, Any]]]
#: What LiteRT appends to the delegate's own words.
_RESTORED = "Restored original execution plan after delegate application failure"
_FUNCTIONS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")


def entries(first: str | None, others: Delegates) -> list[tuple[str, dict[str, Any]]]:
    """Libraries and options that the settings ``delegate`` and ``delegates`` ask for, in their order.

    Raises:
        InferenceError: An entry is no single library with its options.

    >>> entries("libedgetpu.so.1", [{"./mine.so": {"threads": 2}}])
    [('libedgetpu.so.1', {}), ('./mine.so', {'threads': 2})]
    """
    pairs: list[tuple[str, dict[str, Any]]] = [] if first is None else [(first, {})]
    for entry in others:
        if isinstance(entry, dict) and len(entry) != 1:
            raise InferenceError(
                f"An entry of `delegates` names {len(entry)} libraries: {', '.join(entry) or 'none'}.",
                "Write each as an entry of its own: [{libedgetpu.so.1: {device: usb}}, ./other.so].",
            )
        pairs += [(entry, {})] if isinstance(entry, str) else list(entry.items())
    return pairs


class LoadedDelegates:
    """The delegates of one interpreter, which live as long as it does.

    Args:
        pairs: Libraries with their options, as `entries` gives them.

    Attributes:
        names: What each is called in a census: the name of its file, or its whole path where two have the same name.
        taken: The index of each operator that stands for what a delegate has taken, and the delegate's name.

    Raises:
        InferenceError: A library is none, or no delegate, or its delegate could not be made.
    """

    def __init__(self, pairs: Sequence[tuple[str, dict[str, Any]]]) -> None:
        short = [Path(library).name for library, _ in pairs]
        self.names = [
            library if short.count(name) > 1 else name for (library, _), name in zip(pairs, short, strict=True)
        ]
        self.taken: dict[int, str] = {}
        self._delegates = [_Delegate(library, options) for library, options in pairs]

    def apply(self, interpreter: Any) -> None:
        """Let each take what it can of a network whose tensors are not allocated.

        Raises:
            InferenceError: One fails.
        """
        own = interpreter._interpreter
        # As its own class for them does: they must live as long as what calls them.
        interpreter._delegates = self._delegates
        for name, delegate in zip(self.names, self._delegates, strict=True):
            before = own.NumNodes()
            try:
                own.ModifyGraphWithDelegate(delegate.pointer)
            except (RuntimeError, ValueError) as error:
                reason = str(error).replace(_RESTORED, "").strip().rstrip(".") or cause_of(error)
                raise InferenceError(
                    f"The delegate {name} cannot prepare the network: {reason}.",
                    "Run the network without it, or ask whose it is: LiteRT has called it, and it has failed.",
                ) from error
            self.taken |= dict.fromkeys(range(before, own.NumNodes()), name)


class _Delegate:
    """One delegate, from its library's function that makes it to the one that ends it, when nothing refers to it.

    LiteRT has a class of its own for that, which ends delegates that were never made, too, and so the process.
    """

    def __init__(self, library: str, options: dict[str, Any]) -> None:
        self.pointer: int | None = None
        self._library = _opened(library)
        create = self._library.tflite_plugin_create_delegate
        texts, report = ctypes.POINTER(ctypes.c_char_p), ctypes.CFUNCTYPE(None, ctypes.c_char_p)
        create.argtypes, create.restype = [texts, texts, ctypes.c_size_t, report], ctypes.c_void_p
        reports: list[bytes] = []
        strings = ctypes.c_char_p * len(options)
        keys = strings(*(key.encode() for key in options))
        values = strings(*(_text(value).encode() for value in options.values()))
        self.pointer = create(keys, values, len(options), report(lambda text: reports.append(text or b"")))
        if self.pointer is None:
            reason = b" ".join(reports).decode(errors="replace").strip().rstrip(".") or "it tells no reason"
            raise InferenceError(
                f"The delegate {library} could not be made: {reason}.",
                "Its device may be missing or in use, or an option be wrong: see what its documentation says of them.",
            )

    def __del__(self) -> None:
        pointer, self.pointer = self.pointer, None
        if pointer is not None:
            destroy = self._library.tflite_plugin_destroy_delegate
            destroy.argtypes, destroy.restype = [ctypes.c_void_p], None
            destroy(pointer)


def _opened(library: str) -> Any:
    path = Path(library)
    if "/" in library and not path.exists():
        raise InferenceError(f"The delegate {library} cannot be loaded: there is no such file.", "Check the path.")
    try:
        opened = ctypes.CDLL(str(path.resolve()) if path.exists() else library)
    except OSError as error:
        raise InferenceError(
            f"The delegate {library} is no library that this machine can load: {error}.",
            "A delegate is a shared library for this machine's processor, with all that it needs installed: "
            f"`ldd {library}` tells what is missing.",
        ) from error
    missing = [name for name in _FUNCTIONS if not hasattr(opened, name)]
    if missing:
        raise InferenceError(
            f"{library} is a library and no delegate: it has no function {' and no '.join(missing)}.",
            "Name the library of an external delegate of TensorFlow Lite, such as libedgetpu.so.1.",
        )
    return opened


def _text(value: Any) -> str:
    """An option as delegates take it: ``true`` and ``false`` in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)
