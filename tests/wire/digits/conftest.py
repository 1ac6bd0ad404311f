import importlib
import itertools
import subprocess
import sys
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from tests.needs import need

from edgerig.wire import digits

SCHEMA = Path(digits.__file__).parent / "schema.fbs"


class Generated:
    """Google's own reader and writer of the messages, which ``flatc`` generated from the schema."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["flatc", "--python", "-o", folder, SCHEMA], check=True)
        sys.path.insert(0, str(folder))
        names = ("Commands", "Stats", "InferenceInput", "InferenceOutput")
        self.Commands, self.Stats, self.Input, self.Output = (
            importlib.import_module(f"MnistProt.{name}") for name in names
        )

    def root(self, message):
        return self.Commands.Commands.GetRootAs(message)

    def request(self, digit, order=("Cmd", "Input"), force=False):
        builder = self._builder(force)
        vector = _vector(builder, self.Input.InferenceInputStartDigitVector, digit)
        table = _table(builder, self.Input, "InferenceInput", {"Digit": vector})
        return self._finish(builder, {"Cmd": 1, "Input": table}, order)

    def reply(self, outputs, timer_ms, output_n=10, order=("TimerMs", "OutputN", "OutputF"), force=False):
        builder = self._builder(force)
        vector = _vector(builder, self.Output.InferenceOutputStartOutputFVector, outputs)
        fields = {"OutputF": vector, "OutputN": output_n, "TimerMs": timer_ms}
        table = _table(builder, self.Output, "InferenceOutput", {name: fields[name] for name in order})
        return self._finish(builder, {"Cmd": 2, "Ouput": table})

    def stats(self, version, freq, mode, order=("Version", "Freq", "Mode"), force=False):
        builder = self._builder(force)
        fields = {"Version": version, "Freq": freq, "Mode": mode}
        table = _table(builder, self.Stats, "Stats", {name: fields[name] for name in order})
        return self._finish(builder, {"Cmd": 0, "Stats": table})

    def command(self, command):
        return self._finish(self._builder(False), {"Cmd": command})

    def _builder(self, force):
        builder = flatbuffers.Builder(16)
        builder.ForceDefaults(force)
        return builder

    def _finish(self, builder, fields, order=None):
        builder.Finish(_table(builder, self.Commands, "Commands", {name: fields[name] for name in order or fields}))
        return bytes(builder.Output())


def _table(builder, module, name, fields):
    getattr(module, f"{name}Start")(builder)
    for field, value in fields.items():
        getattr(module, f"{name}Add{field}")(builder, value)
    return getattr(module, f"{name}End")(builder)


def _vector(builder, start, values):
    start(builder, len(values))
    for value in reversed(list(values)):
        builder.PrependFloat32(float(value))
    return builder.EndVector()


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    need("flatc")
    return Generated(tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="session")
def digit():
    return np.random.default_rng(7).random(784, np.float32)


@pytest.fixture(scope="session")
def outputs():
    return np.random.default_rng(8).random(10, np.float32)


@pytest.fixture(scope="session")
def layouts(generated, digit, outputs):
    """Messages as writers make them that add fields in any order, and leave defaults out or not."""
    requests = [
        generated.request(digit, order, force)
        for order in itertools.permutations(("Cmd", "Input"))
        for force in (False, True)
    ]
    replies = [
        generated.reply(outputs, timer, count, order, force)
        for order in itertools.permutations(("TimerMs", "OutputN", "OutputF"))
        for timer, count, force in itertools.product((0.0, 1.25), (0, 10), (False, True))
    ]
    stats = [
        generated.stats(*values, order, force)
        for order in itertools.permutations(("Version", "Freq", "Mode"))
        for values in ((0, 0, 0), (101, 216_000_000, 1), (1, 0, 0), (0, 5, 1))
        for force in (False, True)
    ]
    return {"requests": requests, "replies": replies, "stats": stats}
