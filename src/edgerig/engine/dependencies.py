"""What a stage's result depends on, as plain values that go into its cache key.

The rule: everything that could change what is built. Of plugins their code and settings; of files that a setting names
the content and not the path; of data the fingerprints and the preprocessing as it is applied; the versions of
libraries, edgerig's own code among them; and the environment variables that frameworks and engines read.
"""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig import files
from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.base import ModelCompiler
from edgerig.computed_names import content_sums
from edgerig.datasets.base import SPLITS, Dataset, Samples, SplitName
from edgerig.environments.choice import SETTING, interpreter_for, python_of
from edgerig.errors import DatasetError
from edgerig.installed import version
from edgerig.linked_folders import folders_below
from edgerig.plugin_code import code_of, named_files, own_code, variables_of
from edgerig.plugins import Plugin, make
from edgerig.runtimes.base import Runtime

#: Libraries whose version changes what a stage builds.
BUILDERS = (
    "ai-edge-litert",
    "ai-edge-quantizer",
    "apache-tvm",
    "cuda-python",
    "executorch",
    "flatbuffers",
    "iree-base-compiler",
    "iree-base-runtime",
    "jax",
    "jax2onnx",
    "jaxlib",
    "keras",
    "litert-converter",
    "litert-quantizer",
    "litert-torch",
    "ml-dtypes",
    "mnn",
    "ncnn",
    "nncf",
    "numpy",
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxscript",
    "openvino",
    "pillow",
    "pnnx",
    "protobuf",
    "scikit-learn",
    "scipy",
    "skl2onnx",
    "tensorflow",
    "tensorflow-cpu",
    "tensorrt",
    "tflite-micro",
    "torch",
    "torchao",
    "torchvision",
    "tract",
    "ziglang",
)
#: Prefixes of variables that set how frameworks, engines and libraries of linear algebra compute: which instructions,
#: which precision, whether every run is the same. Of Keras edgerig chooses the backend; another one is refused.
VARIABLES = (
    "KERAS_", "JAX_", "XLA_", "TF_", "TORCH_", "PYTORCH_", "ATEN_", "DNNL_", "ONEDNN_", "MKL_", "OPENBLAS_", "NPY_",
    "CUBLAS_", "CUDA_", "NVIDIA_TF32_", "ORT_", "OV_", "OPENVINO_", "TVM_", "IREE_",
)  # fmt: skip
#: Parts of the names of those that change what is said, where things lie, or how fast it goes.
_ASIDE = ("LOG", "VERBOS", "CACHE", "PATH", "HOME", "ROOT", "DIR", "NUM_THREADS", "BACKEND")
#: Samples of a split whose preprocessed values go into the digest.
PROBES = 8
#: A longer text cannot be the name of a file.
LONGEST_PATH = 4096
#: Names for classes whose code cannot be read, in this process.
_unread: dict[type, str] = {}


def surroundings() -> dict[str, Any]:
    """Edgerig's own code, the libraries, the machine's kind, and what else sets how frameworks and engines compute."""
    variables = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(VARIABLES) and not any(part in name for part in _ASIDE)
    }
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return {
        "edgerig": own_code(),
        "versions": _versions(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": [platform.system(), platform.machine()],
        "environment": variables,
        "keras.json": _content(home / "keras.json"),
    }


def of_plugin(plugin: Plugin, *, folders: bool = True) -> dict[str, Any]:
    """Code and settings of a plugin; ``folders``: whether a folder that a setting names counts by its content.

    A plugin whose code cannot be read equals no other, so that nothing built with it is taken from a cache.
    """
    cls = type(plugin)
    own = cls.__module__.startswith("edgerig.")
    settings, interpreter = msgspec.to_builtins(plugin.settings), None
    if isinstance(plugin, ModelCompiler | Runtime):
        # What is installed there counts, and not where it lies.
        settings.pop(SETTING, None)
        interpreter = interpreter_for(cls, python_of(plugin.settings))
    identity: dict[str, Any] = {
        "class": f"{cls.__module__}:{cls.__qualname__}",
        "name": plugin.name,
        "settings": _with_contents(settings, folders, words=not own),
        "reads": [_content(path) for path in plugin.reads()],
    }
    if interpreter is not None:
        identity["interpreter"] = interpreter.identity
    if own:
        return identity
    code = code_of(cls)
    return {
        **identity,
        "code": msgspec.to_builtins(code) if code is not None else uuid.uuid4().hex,
        # Read now: the module may have read these files when it was loaded, or may read them later.
        "named": content_sums(named_files(cls)),
        "variables": variables_of(cls),
    }


def of_code(plugin: Plugin) -> dict[str, Any]:
    """The code of a plugin, which must stay as it is while a cell's rounds go on; not the contents of the files that
    its settings name, since a plugin may write these while it runs.

    A class whose code cannot be read equals itself in this process, and no other.
    """
    cls = type(plugin)
    code = code_of(cls)
    return {
        "class": f"{cls.__module__}:{cls.__qualname__}",
        "files": code.files if code is not None else _unread.setdefault(cls, uuid.uuid4().hex),
        "versions": code.versions if code is not None else {},
        "variables": variables_of(cls),
        "reads": [_content(path) for path in plugin.reads()],
    }


def of_dataset(
    dataset: Dataset, preprocessing: Preprocessing | None = None, splits: Sequence[SplitName] = SPLITS
) -> dict[str, Any]:
    """A dataset: its plugin, the identity of its samples, and some of them after preprocessing.

    Args:
        preprocessing: The one to apply; the dataset's own if None.
        splits: Those that are used. A split that is missing counts as missing.
    """
    applied = preprocessing or dataset.preprocessing
    return {
        # The fingerprints already cover the files of its folder.
        **of_plugin(dataset, folders=False),
        "task": dataset.task,
        "classes": list(dataset.classes),
        "preprocessing": [dataset.preprocessing, applied],
        "splits": {name: _split(dataset, name, applied) for name in splits},
    }


def of_samples(samples: Samples, preprocessing: Preprocessing) -> list[str]:
    """Fingerprint, labels, and the digest of up to `PROBES` samples as they go into a network.

    The fingerprint is only what the dataset states about its content. The preprocessed samples also show a change of
    the code that prepares them, wherever that code is.
    """
    labels = np.ascontiguousarray(samples.labels, np.int64)
    probed = np.unique(np.linspace(0, len(samples) - 1, PROBES).astype(np.int64))
    probes = []
    # One at a time: a single sample may be large.
    for index in probed:
        for name, values in samples.named_inputs(np.array([index]), preprocessing).items():
            inputs = np.ascontiguousarray(values)
            content = files.sha256(inputs.view(np.uint8).reshape(-1).data)
            probes.append(f"{name}{inputs.dtype.str} {inputs.shape} {content}")
    return [samples.fingerprint, files.sha256(labels.tobytes()), *probes]


def of_artifact(artifact: Artifact) -> dict[str, Any]:
    """Everything that describes an artifact except its path and build time; the plugin that reads it; and the engine of
    its format, which may convert it, such as TensorFlow in an interpreter of its own. Its hash covers all of its
    files."""
    origins = tuple(msgspec.structs.replace(origin, seconds=None) for origin in artifact.origins)
    described: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(artifact, path="", origins=origins))
    return {**described, "format": of_format(artifact)}


def of_format(artifact: Artifact) -> list[dict[str, Any]]:
    """The plugins of a network's format: itself, and its default runtime."""
    format = artifact.file_format
    return [of_plugin(format), *([of_plugin(make("runtime", format.runtime, Runtime))] if format.runtime else [])]


def _split(dataset: Dataset, name: SplitName, preprocessing: Preprocessing) -> list[str]:
    try:
        samples = dataset.split(name)
    except DatasetError as error:
        return ["none", error.message]
    return of_samples(samples, preprocessing)


def _with_contents(value: Any, folders: bool, *, words: bool) -> Any:
    """A setting with every path of a file or folder replaced by the content there.

    ``words``: whether a word without a separator may name a folder. edgerig's own settings such as ``speed`` never
    do, although a folder of that name may exist here.
    """
    if isinstance(value, dict):
        return {key: _with_contents(item, folders, words=words) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_contents(item, folders, words=words) for item in value]
    if isinstance(value, str) and 0 < len(value) < LONGEST_PATH and "\0" not in value:
        content = _content(Path(value).expanduser(), folders if words or os.sep in value else None)
        if content is None:
            return value
        # Keep the word as well: it may mean more than the folder of that name.
        return [value, content] if "folder" in content and os.sep not in value else content
    return value


def _content(path: Path, folders: bool | None = True) -> dict[str, Any] | None:
    """The content of a file or of a folder with all below it; None where there is neither.

    ``folders``: True for the content of a folder, False to note only that it is a folder, None to ignore folders.
    """
    try:
        if path.is_file():
            return {"file": _sum_of(path)}
        if folders is not None and path.is_dir():
            if not folders:
                return {"folder": "see the fingerprints"}
            inside = (where / name for where, _, names in folders_below(path) for name in sorted(names))
            return {"folder": [[str(item.relative_to(path)), _sum_of(item)] for item in inside if item.is_file()]}
    except OSError:
        return {"unreadable": str(path)}
    return None


def _sum_of(path: Path) -> str:
    stat = path.stat()
    return _sum_when(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


@lru_cache(maxsize=100_000)
def _sum_when(path: Path, *state: int) -> str:
    """A file is read once per process, as long as its metadata (size, times) stays the same."""
    return files.sha256_file(path)


def _versions() -> dict[str, str]:
    return {name: known for name in BUILDERS if (known := version(name)) is not None}
