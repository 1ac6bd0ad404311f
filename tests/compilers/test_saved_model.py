"""SavedModels become TFLite and ONNX by TensorFlow, which computes the same; without it that is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.needs import need_tensorflow

from edgerig.compilers.float32 import Float32
from edgerig.compilers.onnx import Onnx
from edgerig.compilers.saved_model_to_tflite import _reason, convert_saved_model
from edgerig.errors import CompileError, MissingExtraError, ModelError
from edgerig.models.files import open_artifact
from edgerig.runtimes.litert import LiteRt

#: What TensorFlow's converter prints of an operation that TFLite lacks, shortened.
LACKING = """loc(callsite("AsString"("odd") at "Call")): error: 'tf.AsString' op is neither a custom op nor a flex op
error: failed while converting: 'main': Some ops are not supported by the native TFLite runtime
"""


def test_of_tensorflows_lines_the_one_that_says_why_is_told() -> None:
    assert _reason(LACKING) == "TFLite has nothing for tf.AsString."
    assert _reason("noise\nValueError: Only support at least one signature key.\nnoise") == (
        "ValueError: Only support at least one signature key."
    )
    assert _reason("") == "TensorFlow said nothing"


def test_without_tensorflow_it_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: None, saved_model: Path
) -> None:
    with pytest.raises(MissingExtraError, match="SavedModel needs tensorflow") as caught:
        convert_saved_model(saved_model)
    assert "edgerig engines install tensorflow" in (caught.value.hint or "")
    with pytest.raises(ModelError):
        convert_saved_model(tmp_path)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this environment nor one of edgerig's has TensorFlow."""
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edgerig.compilers.saved_model_to_tflite.find_spec", lambda module: None)


def field(number: int, value: bytes | int) -> bytes:
    """A field of a protocol buffer, shorter than 128 bytes."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


@pytest.fixture
def saved_model(tmp_path: Path) -> Path:
    """A folder whose file tells of one signature; nothing that could be run."""
    shape = field(2, field(1, 1)) + field(2, field(1, 4))
    ends = [
        field(n, field(1, name) + field(2, field(1, name + b":0") + field(2, 1) + field(3, shape)))
        for n, name in ((1, b"x"), (2, b"y"))
    ]
    signature = field(1, b"serving_default") + field(2, b"".join(ends))
    folder = tmp_path / "net.savedmodel"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(field(1, 1) + field(2, field(5, signature)))
    return folder


@pytest.mark.slow
def test_tensorflow_lite_and_onnx_compute_the_same(tmp_path: Path) -> None:
    need_tensorflow()
    import tensorflow

    rng = np.random.default_rng(0)

    class Network(tensorflow.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filters = tensorflow.Variable(rng.normal(size=(3, 3, 2, 4)).astype(np.float32))
            self.weights = tensorflow.Variable(rng.normal(size=(48, 5)).astype(np.float32))

        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 6, 5, 2], tensorflow.float32, name="image")])
        def run(self, image):  # type: ignore[no-untyped-def]
            hidden = tensorflow.nn.relu(tensorflow.nn.conv2d(image, self.filters, 1, "VALID"))
            return {"scores": tensorflow.nn.softmax(tensorflow.reshape(hidden, [-1, 48]) @ self.weights)}

        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 4], tensorflow.float32, name="x")])
        def odd(self, x):  # type: ignore[no-untyped-def]
            return {"y": tensorflow.strings.length(tensorflow.strings.as_string(x))}

    network, path = Network(), tmp_path / "net.savedmodel"
    tensorflow.saved_model.save(network, str(path), signatures={"serving_default": network.run})
    image = rng.random((1, 6, 5, 2)).astype(np.float32)
    expected = network.run(tensorflow.constant(image))["scores"].numpy()
    compiled = Float32().compile(open_artifact(path), tmp_path / "build")
    assert [(spec.name, spec.shape) for spec in compiled.inputs] == [("image", (1, 6, 5, 2))]
    assert [spec.name for spec in compiled.outputs] == ["scores"]
    runtime = LiteRt()
    runtime.load(Path(compiled.path))
    np.testing.assert_allclose(runtime.run([image]).outputs[0], expected, atol=1e-6)
    onnx = Onnx().compile(compiled, tmp_path / "build")
    assert [spec.name for spec in onnx.inputs] == ["image"]

    tensorflow.saved_model.save(network, str(tmp_path / "odd.savedmodel"), signatures={"serving_default": network.odd})
    with pytest.raises(CompileError, match=r"TFLite has nothing for tf\.AsString"):
        convert_saved_model(tmp_path / "odd.savedmodel")
