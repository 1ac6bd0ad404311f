"""Where ONNX Runtime runs a network: its execution providers, and whether those that were named are really used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgerig.errors import InferenceError, nearest
from edgerig.installed import version
from edgerig.text import cause_of

#: The setting: a provider's name, or several in the order of preference, each perhaps with options: ``{name: {..}}``.
Providers = str | list[str | dict[str, dict[str, Any]]]
CPU = "CPUExecutionProvider"
#: Short names, and what each stands for. What TensorRT does not take falls to CUDA, and what that does not to the CPU.
_CHAINS: dict[str, tuple[str, ...]] = {
    "cpu": (CPU,),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
}
_HINT = (
    "Install a build of ONNX Runtime that has it in place of the other: pip install onnxruntime-gpu, on a Jetson "
    "NVIDIA's wheel for its JetPack; CUDA (for TensorRT that, too) must be there in the version it was built for."
)
PROVIDER_TEXT = (
    "what runs it: cpu, cuda, tensorrt, a provider by ONNX Runtime's name (CUDAExecutionProvider), or several in the "
    "order of preference, each perhaps with options: [{TensorrtExecutionProvider: {trt_fp16_enable: true}}, "
    "CUDAExecutionProvider]; on a GPU copying inputs there and outputs back is part of an inference's time"
)
#: Parts of the names of options that have code loaded from a file.
_LIBRARY_OPTIONS = ("lib_path", "plugin", "_dll", "custom_op")


def engine_version() -> str:
    """The version of ONNX Runtime, whichever of its packages is installed."""
    known = version("onnxruntime")
    if known is not None:
        return known
    import onnxruntime

    return str(onnxruntime.__version__)


def entries(setting: Providers) -> list[tuple[str, dict[str, Any]]]:
    """Names and options of the providers that ``setting`` asks for, the preferred one first.

    Raises:
        InferenceError: It is empty, or an entry is no single name with its options.

    >>> entries("tensorrt")
    [('TensorrtExecutionProvider', {}), ('CUDAExecutionProvider', {})]
    >>> entries([{"CUDAExecutionProvider": {"device_id": 1}}, "cpu"])
    [('CUDAExecutionProvider', {'device_id': 1}), ('CPUExecutionProvider', {})]
    """
    pairs: list[tuple[str, dict[str, Any]]] = []
    for entry in [setting] if isinstance(setting, str) else setting:
        if isinstance(entry, dict) and len(entry) != 1:
            raise InferenceError(
                f"An entry of `provider` names {len(entry)} providers: {', '.join(entry) or 'none'}.",
                "Write each as an entry of its own: [{TensorrtExecutionProvider: {..}}, CUDAExecutionProvider].",
            )
        name, options = (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))
        chain = _CHAINS.get(name, (name,))
        pairs += [(full, options if full == chain[0] else {}) for full in chain]
    if not pairs:
        raise InferenceError("`provider` names no provider.", "Leave it out for the CPU.")
    return pairs


def libraries(setting: Providers) -> tuple[str, ...]:
    """Files that options of providers have code loaded from."""
    return tuple(
        str(value)
        for _, options in entries(setting)
        for key, value in options.items()
        if any(part in key.lower() for part in _LIBRARY_OPTIONS)
    )


def requested(setting: Providers) -> tuple[str, ...]:
    """Names of the providers that were asked for by name; none for ``cpu``, where there is nothing else to run on."""
    names = [name for name, _ in entries(setting) if name != CPU]
    # CUDA behind TensorRT is where the rest may go: it is met by TensorRT taking everything.
    return tuple(names[:1])


def check_available(names: Sequence[str]) -> None:
    """Refuse providers that the installed build lacks.

    Raises:
        InferenceError: It lacks one; the message names those that it has.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    for name in names:
        if name in available:
            continue
        near = nearest(name, onnxruntime.get_all_providers())
        hint = _HINT
        if near is not None and name not in onnxruntime.get_all_providers():
            hint = f"ONNX Runtime knows no provider of that name; did you mean {near}?"
        raise InferenceError(
            f"This build of ONNX Runtime ({engine_version()}) cannot use {name}: it has {', '.join(available)}.", hint
        )


def check_used(name: str, used: Sequence[str]) -> None:
    """Refuse a session that has quietly left out the provider ``name``; ``used`` are those that it has.

    Raises:
        InferenceError: It is not among them.
    """
    if name not in used:
        others = ", ".join(used)
        raise InferenceError(f"ONNX Runtime could not start {name}, and would run on {others} instead.", _HINT)


def open_session(path: Any, options: Any, setting: Providers, strict: bool = False) -> Any:
    """An inference session that runs on the providers that ``setting`` names.

    Args:
        path: The network. options: The session's.
        strict: Whether no operator may fall to the CPU, unless that is named.

    Raises:
        InferenceError: It cannot.
    """
    import onnxruntime

    pairs = entries(setting)
    names = [name for name, _ in pairs]
    check_available(names)
    if strict and CPU not in names:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    else:
        pairs += [(CPU, {})] if CPU not in names else []
    # Providers take their options as texts.
    providers = [(name, {key: str(value) for key, value in own.items()}) for name, own in pairs]
    # With a fallback, a refused file is tried twice, and the first error goes to standard output.
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except Exception as error:
        if strict and "fallback to CPU EP" in str(error):
            raise InferenceError(
                f"{names[0]} does not take the whole network, and `fallback: forbid` is set.",
                "Leave `fallback` out to have the rest run on the CPU, which is then told beside the numbers.",
            ) from error
        # TensorRT's missing libraries are an error of the session, those of CUDA a line on standard error.
        if names == [CPU] or not isinstance(error, RuntimeError | ValueError):
            raise
        raise InferenceError(f"ONNX Runtime could not start {names[0]}: {cause_of(error)}.", _HINT) from error
    for name in names:
        check_used(name, session.get_providers())
    return session
