"""TensorFlow SavedModels to float TFLite, by TensorFlow itself in a process of its own.

TensorFlow is large (1.5 GB installed) and does not go together with every version of Keras and JAX: it is taken from
edgerig's own environment where it is installed there, else from that which `edgerig engines install tensorflow` made.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from edgerig.compilers import flatbuffer
from edgerig.environments.catalogue import environment_of
from edgerig.errors import CompileError, MissingExtraError
from edgerig.models.saved_model import signature_of
from edgerig.progress import Progress
from edgerig.text import lines, one_line

ENGINE = "tensorflow"
#: Longest conversion, and what lies between two signs of life, in seconds.
_LONGEST, _SIGN_OF_LIFE = 1800.0, 5.0
#: Ends with the process that started it: its standard input is closed then, however that one died.
_CONVERT = """
import os, sys, threading
def follow():
    os.read(0, 1)
    os._exit(9)
threading.Thread(target=follow, daemon=True).start()
import tensorflow as tf
folder, signature, target = sys.argv[1:]
converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[signature])
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
data = converter.convert()
with open(target, "wb") as file:
    file.write(data)
"""


def convert_saved_model(path: Path, progress: Progress | None = None) -> bytes:
    """Float TFLite bytes of the SavedModel in the folder ``path``; batch 1. Tensors are named as its signature does.

    Raises:
        MissingExtraError: TensorFlow is not installed.
        ModelError: It has no signature that could be taken.
        CompileError: TFLite lacks an operation of it; says which.
    """
    signature, python = signature_of(path).name, _python()
    with tempfile.TemporaryDirectory(prefix="edgerig-savedmodel-") as folder:
        target, log = Path(folder) / "net.tflite", Path(folder) / "log"
        command = [python, "-c", _CONVERT, str(path.absolute()), signature, str(target)]
        output = _run(command, log, path.name, progress or Progress())
        if not target.exists():
            raise CompileError(f"{path.name} cannot be converted to TFLite: {_reason(output)}", _hint(output))
        model = flatbuffer.unpack(target.read_bytes())
    flatbuffer.name_ends(model)
    return flatbuffer.pack(model)


def _python() -> str:
    if find_spec("tensorflow") is not None:
        return sys.executable
    interpreter = environment_of(ENGINE, ("tensorflow",))
    if interpreter is None:
        raise MissingExtraError("Converting a SavedModel", ENGINE, "tensorflow", ENGINE)
    return interpreter.executable


def _run(command: list[str], log: Path, name: str, progress: Progress) -> str:
    """What the conversion printed, which goes into ``log``."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
    own = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "KERAS_BACKEND")}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT, env={**own, **quiet}
        )
    end = time.monotonic() + _LONGEST
    try:
        with progress.task(f"convert {name} by TensorFlow") as task:
            while time.monotonic() < end:
                try:
                    process.wait(_SIGN_OF_LIFE)
                    return log.read_text(errors="replace")
                except subprocess.TimeoutExpired:
                    task.advance(0)
    finally:
        process.kill()
        process.wait()
    raise CompileError(f"Converting {name} had not ended after {_LONGEST:.0f} s.")


def _reason(output: str) -> str:
    """Of TensorFlow's many lines those that say why."""
    lacking = re.findall(r"'(tf\.[\w.]+)' op is neither a custom op nor a flex op", output)
    if lacking:
        return f"TFLite has nothing for {', '.join(sorted(set(lacking)))}."
    reasons = [line.strip() for line in output.splitlines() if "error:" in line or "Error:" in line]
    return one_line(reasons[-1] if reasons else lines(output, 400) or "TensorFlow said nothing", 400)


def _hint(output: str) -> str | None:
    if "failed to legalize" in output or "neither a custom op nor a flex op" in output:
        return "It has an operation that TFLite has not: export the network without it."
    return None
