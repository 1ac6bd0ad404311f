"""Keras files with layers of their author's, out of a module that the user declares."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edgerig.bounded import bounded
from edgerig.compilers.float32 import float_tflite
from edgerig.engine.dependencies import of_artifact, of_format
from edgerig.errors import InferenceError, ModelError, SpecError
from edgerig.files import digest
from edgerig.models.files import open_artifact
from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.files import load_keras
from edgerig.plugin_names import import_beside
from edgerig.rig.document import read_document
from edgerig.rig.dump import rig_to_yaml
from edgerig.rig.parse import parse_rig
from edgerig.runtimes.keras import Keras

pytestmark = pytest.mark.slow

SOURCE = '''
import keras

class {layer}(keras.layers.Layer):
    """Adds a learned number and twice the mean."""

    def build(self, shape):
        self.amount = self.add_weight(shape=(), initializer="ones", name="amount")

    def call(self, x):
        return x + self.amount + 2 * keras.ops.mean(x)

def {function}(x):
    return x / (1 + keras.ops.abs(x))
'''


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """A module of its own for each test, since Python keeps those that it imported."""
    name = f"layers_of_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(SOURCE.format(layer="Lift", function="squash"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    import_beside(name, tmp_path)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture(params=[".keras", ".h5"])
def network(request, tmp_path, module):
    """A file whose last layer and an activation are the author's, and what it answers to ones."""
    return build(tmp_path / f"net{request.param}", module)


def build(path, module):
    keras = import_keras()
    author: dict[str, object] = {}
    exec(Path(path.parent / f"{module}.py").read_text(), author)
    layers = keras.layers
    x = keras.Input((6, 5, 2), name="image")
    y = layers.Conv2D(3, 3, activation=author["squash"], name="conv")(x)
    y = author["Lift"](name="last")(layers.Flatten(name="flat")(y))
    model = keras.Model(x, y)
    model.get_layer("last").set_weights([np.float32(0.25)])
    model.save(path)
    return path, np.asarray(model(np.ones((1, 6, 5, 2), np.float32)))


def test_a_declared_module_loads_them(network, module):
    path, expected = network
    model = load_keras(path, module)
    np.testing.assert_allclose(np.asarray(model(np.ones((1, 6, 5, 2), np.float32))), expected, rtol=1e-6)


def test_without_a_module_the_error_names_the_layer_and_the_setting(network):
    with pytest.raises(ModelError, match=r"the function 'squash', the layer 'Lift' are not of Keras") as caught:
        load_keras(network[0])
    assert "custom: MODULE" in caught.value.hint
    assert "--custom" in caught.value.hint


def test_a_module_that_lacks_the_layer_is_named_with_it(network, module, tmp_path):
    other = f"{module}_other"
    (tmp_path / f"{other}.py").write_text(SOURCE.format(layer="Left", function="squash"))
    with pytest.raises(ModelError, match=rf"the layer 'Lift' is not of Keras, nor of the module '{other}'"):
        load_keras(network[0], other)


def test_a_module_that_fails_on_import_is_one_message(network, module, tmp_path):
    (tmp_path / f"{module}.py").write_text("1 / 0")
    with pytest.raises(ModelError, match=rf"The module '{module}' of custom layers cannot be imported: ZeroDivision"):
        load_keras(network[0], module)


def test_an_edited_module_is_not_run_as_it_was(network, module, tmp_path):
    load_keras(network[0], module)
    (tmp_path / f"{module}.py").write_text(SOURCE.format(layer="Lift", function="squash") + "# edited\n")
    with pytest.raises(SpecError, match="was edited since"):
        load_keras(network[0], module)


def test_the_file_is_opened_and_converted_in_the_other_process_alone(tmp_path, module):
    path, expected = build(tmp_path / "net.keras", module)
    with bounded():
        artifact = open_artifact(path, options={"custom": module})
    assert module not in sys.modules
    assert [spec.shape for spec in artifact.outputs] == [(1, 36)]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=float_tflite(artifact))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ones((1, 6, 5, 2), np.float32))
    interpreter.invoke()
    np.testing.assert_allclose(
        interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), expected, rtol=1e-5
    )


def test_its_source_is_in_the_keys_of_what_is_made_of_the_file(tmp_path, module):
    path, _ = build(tmp_path / "net.keras", module)
    with bounded():
        artifact = open_artifact(path, options={"custom": module})
    compiled, reference = digest(of_artifact(artifact)), digest(of_format(artifact))
    assert (compiled, reference) == (digest(of_artifact(artifact)), digest(of_format(artifact)))
    (tmp_path / f"{module}.py").write_text(SOURCE.format(layer="Lift", function="squash").replace("2 *", "3 *"))
    assert digest(of_artifact(artifact)) != compiled
    assert digest(of_format(artifact)) != reference


def test_the_runtime_keras_has_the_setting_too(tmp_path, module):
    path, expected = build(tmp_path / "net.keras", module)
    with Keras(Keras.Settings(custom=module)) as runtime:
        runtime.load(path)
        (outputs,) = runtime.run([np.ones((1, 6, 5, 2), np.float32)]).outputs
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)
    with Keras() as runtime, pytest.raises(InferenceError, match="the layer 'Lift'"):
        runtime.load(path)


def test_a_rig_file_names_a_module_beside_it_and_a_missing_one_is_a_problem(tmp_path, module, monkeypatch):
    build(tmp_path / "net.keras", module)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    rig = (
        "model: {{file: net.keras, custom: {}}}\ndataset: random\nmatrix: {{runtimes: [{{use: keras, custom: {}}}]}}\n"
    )
    (tmp_path / "rig.yaml").write_text(rig.format(module, module))
    read = parse_rig(read_document(tmp_path / "rig.yaml"))
    assert read.models[0].options == {"custom": module}
    assert str(tmp_path) in rig_to_yaml(read)
    (tmp_path / "rig.yaml").write_text(rig.format("no_such_layers", f"{module}.py"))
    with pytest.raises(SpecError) as caught:
        parse_rig(read_document(tmp_path / "rig.yaml"))
    assert "model.custom: there is no module 'no_such_layers'" in str(caught.value)
    assert f"is a file; name the module, '{module}'" in str(caught.value)


def test_other_formats_do_not_know_the_setting(tmp_path):
    (tmp_path / "net.tflite").write_bytes(b"x")
    (tmp_path / "rig.yaml").write_text("model: {file: net.tflite, custom: layers}\ndataset: random\n")
    with pytest.raises(SpecError, match="unknown key 'custom'"):
        parse_rig(read_document(tmp_path / "rig.yaml"))
