"""Where ONNX Runtime runs a network: its execution providers, and whether the one that was named is really used."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from edgerig.errors import InferenceError
from edgerig.text import cause_of

Provider = Literal["cpu", "cuda", "tensorrt"]
#: ONNX Runtime's names. What TensorRT does not take falls to CUDA, and what that does not take to the CPU.
_NAMES: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_CHAINS: dict[Provider, tuple[Provider, ...]] = {
    "cpu": ("cpu",),
    "cuda": ("cuda", "cpu"),
    "tensorrt": ("tensorrt", "cuda", "cpu"),
}
_HINT = (
    "Install a build of ONNX Runtime that has it in place of the other: pip install onnxruntime-gpu, on a Jetson "
    "NVIDIA's wheel for its JetPack; CUDA (for tensorrt TensorRT, too) must be there in the version it was built for."
)
PROVIDER_TEXT = (
    "what runs it; with cuda and tensorrt, copying inputs to the GPU and outputs from it is part of an inference's time"
)


def engine_version() -> str:
    """The version of ONNX Runtime, whichever of its packages is installed."""
    try:
        return version("onnxruntime")
    except PackageNotFoundError:
        import onnxruntime

        return str(onnxruntime.__version__)


def provider_names(provider: Provider) -> list[str]:
    """The providers to ask ONNX Runtime for, the wanted one first.

    Raises:
        InferenceError: The installed build lacks it.
    """
    import onnxruntime

    if _NAMES[provider] not in onnxruntime.get_available_providers():
        raise InferenceError(f"This build of ONNX Runtime ({onnxruntime.__version__}) cannot use {provider}.", _HINT)
    return [_NAMES[name] for name in _CHAINS[provider]]


def check_used(provider: Provider, used: Sequence[str]) -> None:
    """Refuse a session that has quietly left out the provider.

    Args:
        provider: That was asked for.
        used: Names of those that the session has.

    Raises:
        InferenceError: It is not among them.
    """
    if _NAMES[provider] not in used:
        others = ", ".join(used)
        raise InferenceError(f"ONNX Runtime could not start {provider}, and would run on {others} instead.", _HINT)


def open_session(path: Any, options: Any, provider: Provider) -> Any:
    """An inference session that runs on ``provider``.

    Raises:
        InferenceError: It cannot.
    """
    import onnxruntime

    names = provider_names(provider)
    # With a fallback, a refused file is tried twice, and the first error goes to standard output.
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=names, enable_fallback=0)
    except RuntimeError as error:
        # TensorRT's missing libraries are an error of the session, those of CUDA a line on standard error.
        if provider == "cpu":
            raise
        raise InferenceError(f"ONNX Runtime could not start {provider}: {cause_of(error)}.", _HINT) from error
    check_used(provider, session.get_providers())
    return session
