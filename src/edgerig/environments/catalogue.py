"""The engines that can be given an environment of their own, and where their environments lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.environments.interpreter import Interpreter, probe
from edgerig.environments.requirements import named_requirement, requirements_of, satisfies
from edgerig.errors import EdgerigError, EngineError, UnknownNameError

#: The file in an environment that says what it was made for; it is written last.
MANIFEST = "edgerig-engine.json"


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that pip installs. Its requirements are those of edgerig's extra of the same name.

    Attributes:
        title: Its own name.
        package: The distribution whose version is the engine's. module: What is imported of it.
        download: Megabytes to download, disk: megabytes of the environment, seconds: to install it, on two cores and
            100 Mbit/s; measured with Python 3.11 on Linux, x86-64.
        alone: What is installed besides, without the packages that it asks for.
    """

    name: str
    title: str
    package: str
    module: str
    download: int
    disk: int
    seconds: int
    alone: tuple[str, ...] = ()

    @property
    def requirements(self) -> tuple[str, ...]:
        """What pip installs: what the extra says, and what stands alone."""
        return (*requirements_of(self.name), *self.alone)

    @property
    def cost(self) -> str:
        """Size and time for people: ``about 150 MB to download, 420 MB on disk, 30 s``."""
        return f"about {self.download} MB to download, {self.disk} MB on disk, {self.seconds} s"


ENGINES: Mapping[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            name="openvino", title="OpenVINO", package="openvino", module="openvino", download=150, disk=480, seconds=40
        ),
        Engine(name="tract", title="tract", package="tract", module="tract", download=28, disk=106, seconds=11),
        Engine(
            name="ncnn",
            title="ncnn",
            package="ncnn",
            module="ncnn",
            download=60,
            disk=195,
            seconds=20,
            # It asks for PyTorch, with CUDA 5.6 GB, and needs it for PyTorch's files alone.
            alone=("pnnx>=20250930,<20280000",),
        ),
        Engine(name="mnn", title="MNN", package="mnn", module="MNN", download=36, disk=131, seconds=16),
        Engine(
            name="executorch",
            title="ExecuTorch",
            package="executorch",
            # What imports its binding: the package alone says nothing.
            module="executorch.runtime",
            download=430,
            disk=1530,
            seconds=150,
        ),
        Engine(
            name="iree",
            title="IREE",
            package="iree-base-compiler",
            module="iree.compiler",
            download=135,
            disk=594,
            seconds=55,
        ),
        Engine(name="tvm", title="TVM", package="apache-tvm", module="tvm", download=130, disk=427, seconds=25),
        Engine(
            name="jax2onnx",
            title="jax2onnx",
            package="jax2onnx",
            module="jax2onnx",
            download=280,
            disk=1030,
            seconds=60,
        ),
        Engine(
            name="tensorflow",
            title="TensorFlow",
            package="tensorflow-cpu",
            module="tensorflow",
            download=400,
            disk=1700,
            seconds=120,
        ),
    )
}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an environment was made for.

    Attributes:
        engine: Its name. requirements: What was installed. bytes: Its size on disk. made: The date, in UTC.
    """

    engine: str
    requirements: tuple[str, ...]
    bytes: int
    seconds: float
    made: str


def engine_named(name: str) -> Engine:
    """The engine called ``name``.

    Raises:
        UnknownNameError: There is none such.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    return ENGINES[name]


def root() -> Path:
    """The folder in the cache with all environments."""
    return files.cache_folder() / "engines"


def folder_of(name: str) -> Path:
    """The folder of an engine's environment, whether it exists or not."""
    return root() / name


def manifest_of(name: str) -> Manifest | None:
    """What the environment of an engine was made for; None where there is no whole one."""
    try:
        return msgspec.json.decode((folder_of(name) / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        return None


def environment_of(name: str, modules: tuple[str, ...] = ()) -> Interpreter | None:
    """The interpreter of the environment that was made for an engine; None where there is none.

    Raises:
        EngineError: It does not work any more, or holds another version than this edgerig needs.
    """
    if manifest_of(name) is None:
        return None
    hint = f"Make it anew: edgerig engines install {name}"
    try:
        interpreter = probe(str(folder_of(name)), modules)
    except EdgerigError as error:
        raise EngineError(f"The environment of {name} does not work any more: {error.message}", hint) from error
    if interpreter.missing:
        raise EngineError(f"The environment of {name} lacks {interpreter.missing[0]}.", hint)
    wrong = wrong_version(interpreter, engine_named(name).requirements)
    if wrong is not None:
        raise EngineError(f"The environment of {name} has {wrong}.", hint)
    return msgspec.structs.replace(interpreter, engine=name)


def wrong_version(interpreter: Interpreter, requirements: tuple[str, ...]) -> str | None:
    """The first package of ``interpreter`` that is of another version than ``requirements`` say; None if there is
    none. What is not installed is not wrong."""
    for requirement in requirements:
        name, bounds = named_requirement(requirement)
        version = interpreter.packages.get(name)
        if version is not None and not satisfies(version, bounds):
            return f"{name} {version}, where edgerig needs {name}{bounds}"
    return None
