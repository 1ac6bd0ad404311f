from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.needs import need_torch

from edgerig.compilers.float32 import Float32
from edgerig.compilers.onnx import Onnx
from edgerig.errors import ModelError
from edgerig.models.files import open_artifact
from edgerig.models.torch.files import load_program

need_torch()


def with_member(path, suffix, content):
    """The archive ``path`` with one member changed, or added."""
    result = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(result, "w") as target:
        names = source.namelist()
        for name in names:
            target.writestr(name, content if name.endswith(suffix) else source.read(name))
        if not any(name.endswith(suffix) for name in names):
            target.writestr(f"archive/{suffix}", content)
    return result.getvalue()


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("member", ["data/sample_inputs/model.pt", "data/constants/custom_obj_0", "data/aoti/x.so"])
def test_code_in_a_program_is_never_run(member, trained_torch, tmp_path):
    import torch

    mark, path = tmp_path / "mark", tmp_path / "evil.pt2"
    buffer = io.BytesIO()
    torch.save(Evil(mark), buffer)
    path.write_bytes(with_member(Path(trained_torch[1].path), member, buffer.getvalue()))
    with pytest.raises(ModelError, match=r"evil\.pt2") as caught:
        load_program(path)
    assert "torch.export.save" in caught.value.hint
    assert not mark.exists()


def test_tensors_that_say_they_are_pickled_are_refused(trained_torch, tmp_path):
    source, path = Path(trained_torch[1].path), tmp_path / "evil.pt2"
    with zipfile.ZipFile(source) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("model_weights_config.json")]
        config = archive.read(name).replace(b'"use_pickle": false', b'"use_pickle": true', 1)
    path.write_bytes(with_member(source, "model_weights_config.json", config))
    with pytest.raises(ModelError, match="more than tensors and a graph"):
        load_program(path)


def test_pickled_modules_and_state_dicts_are_refused_with_what_to_save_instead(torch_net, tmp_path):
    import torch

    network = torch_net.build(4)
    torch.save(network, tmp_path / "module.pt")
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil(tmp_path / "mark")))
    for name in ("module", "weights", "plain"):
        with pytest.raises(ModelError, match="not a program that PyTorch can read") as caught:
            open_artifact(tmp_path / f"{name}.pt")
        assert "torch.export.export" in caught.value.hint
    assert not (tmp_path / "mark").exists()


def test_a_file_without_its_description_tells_its_inputs_and_that_channels_come_first(trained_torch, tmp_path):
    source = Path(trained_torch[1].path)
    copy = tmp_path / "net.pt"
    copy.write_bytes(source.read_bytes())
    artifact = open_artifact(copy)
    assert (artifact.format, artifact.scheme) == ("torch", "float32")
    assert artifact.inputs == trained_torch[1].inputs
    assert artifact.outputs == trained_torch[1].outputs
    assert not any(
        str(Path.cwd()).encode() in zipfile.ZipFile(copy).read(name) for name in zipfile.ZipFile(copy).namelist()
    )


def predictions(artifact, runtime, inputs):
    with runtime:
        runtime.load(Path(artifact.path))
        return runtime.run([inputs]).outputs[0]


def test_onnx_and_tflite_compute_what_pytorch_does(trained_torch, wide_patterns, tmp_path):
    from edgerig.runtimes.litert import LiteRt
    from edgerig.runtimes.onnxruntime import OnnxRuntime
    from edgerig.runtimes.torch import Torch

    artifact = trained_torch[1]
    samples = wide_patterns.split("test").inputs(slice(None), artifact.preprocessing)
    first = np.ascontiguousarray(np.moveaxis(samples, -1, 1))
    expected = predictions(artifact, Torch(), first)
    onnx = Onnx().compile(artifact, tmp_path)
    assert (onnx.inputs[0].shape, onnx.inputs[0].layout) == ((1, 3, 12, 10), "nchw")
    np.testing.assert_allclose(predictions(onnx, OnnxRuntime(), first), expected, atol=2e-6)
    assert str(Path.cwd()).encode() not in onnx.read()
    need_torch("litert_torch")
    tflite = Float32().compile(artifact, tmp_path)
    assert (tflite.inputs[0].shape, tflite.inputs[0].layout) == ((1, 3, 12, 10), "nchw")
    np.testing.assert_allclose(predictions(tflite, LiteRt(), first), expected, atol=2e-6)
