from __future__ import annotations

import os
import random
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from edgerig.errors import ModelError
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.models.keras.files import load_keras, save_keras, tensor_specs


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**{key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


IMPORT = """
from edgerig.errors import EdgerigError
from edgerig.models.keras.engine import import_keras
try:
    print(import_keras().backend.backend())
except EdgerigError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_keras_runs_on_jax_where_the_user_chose_no_backend(tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    result = run_python(IMPORT, KERAS_HOME=str(tmp_path))
    assert result.stdout == "jax\n", result.stderr


def test_another_backend_is_refused_with_what_is_supported():
    result = run_python(IMPORT, KERAS_BACKEND="torch")
    assert result.stdout.startswith("UsageError Keras is set to the backend 'torch'"), result.stderr
    assert "KERAS_BACKEND=jax" in result.stdout


def test_importing_the_model_plugins_imports_no_engine():
    code = (
        "from edgerig.models.architectures import mnist_cnn, mobilenetv2, resnet8\n"
        "import edgerig.models.training.loop\n"
        "import sys; print([name for name in ('keras', 'jax', 'tensorboardX') if name in sys.modules])"
    )
    assert run_python(code).stdout == "[]\n"


@pytest.mark.slow
def test_channels_come_last_whatever_the_user_set():
    keras = import_keras()
    keras.config.set_image_data_format("channels_first")
    assert import_keras().config.image_data_format() == "channels_last"


def test_seeded_leaves_the_callers_random_state_alone():
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    with seeded(7):
        first = random.random()
    assert (random.random(), np.random.random()) == expected
    with seeded(7):
        assert random.random() == first


def test_equal_weights_make_equal_files(tiny_net, tmp_path):
    for name in ("a", "b"):
        with seeded(1):
            save_keras(tiny_net.build(4), tmp_path / f"{name}.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    with seeded(2):
        save_keras(tiny_net.build(4), tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() != (tmp_path / "b.keras").read_bytes()


def test_equal_networks_whose_layers_share_objects_make_equal_files(tmp_path):
    """Keras writes the addresses in memory of what layers share into the file."""
    keras = import_keras()
    networks = []  # all stay alive, so that none of them has the addresses of another
    for name in ("a", "b"):
        weak, strong = keras.regularizers.L2(1e-4), keras.regularizers.L2(1e-2)
        with seeded(1):
            network = keras.Sequential([keras.Input((2,), name="x")], name="shared")
            for number, regularizer in enumerate((weak, strong, weak, strong)):
                network.add(keras.layers.Dense(2, kernel_regularizer=regularizer, name=f"dense{number}"))
        save_keras(network, tmp_path / f"{name}.keras")
        networks.append(network)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    layers = load_keras(tmp_path / "a.keras").layers
    assert [float(layer.kernel_regularizer.l2) for layer in layers] == pytest.approx([1e-4, 1e-2, 1e-4, 1e-2])
    assert layers[0].kernel_regularizer is not layers[1].kernel_regularizer


def test_what_is_loaded_computes_what_was_saved(tiny_net, tmp_path):
    model = tiny_net.build(4)
    save_keras(model, tmp_path / "m.keras")
    x = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    np.testing.assert_array_equal(np.asarray(load_keras(tmp_path / "m.keras")(x)), np.asarray(model(x)))
    inputs, outputs = tensor_specs(model)
    assert [(spec.name, spec.shape, spec.dtype) for spec in (*inputs, *outputs)] == [
        ("image", (1, 28, 28, 1), "float32"),
        ("probabilities", (1, 4), "float32"),
    ]


def test_a_functional_model_names_its_output_too():
    keras = import_keras()
    image = keras.Input((4,), name="x")
    model = keras.Model(image, keras.layers.Dense(2, name="y")(image))
    assert [spec.name for specs in tensor_specs(model) for spec in specs] == ["x", "y"]


def test_a_lambda_layer_is_never_run(tmp_path):
    keras = import_keras()
    path = tmp_path / "evil.keras"
    layer = keras.layers.Lambda(lambda x: x, output_shape=(2,))
    keras.Sequential([keras.Input((2,)), layer]).save(path)
    with pytest.raises(ModelError, match="layer 'Lambda' cannot be deployed: it is code"):
        load_keras(path)


@pytest.mark.parametrize("damage", ["empty", "truncated", "no zip", "no weights", "other zip"])
def test_damaged_files_are_model_errors(damage, tiny_net, tmp_path):
    path = tmp_path / "m.keras"
    save_keras(tiny_net.build(4), path)
    data = path.read_bytes()
    if damage == "no weights":
        with zipfile.ZipFile(path) as source:
            members = {name: source.read(name) for name in source.namelist() if "weights" not in name}
        with zipfile.ZipFile(path, "w") as target:
            for name, content in members.items():
                target.writestr(name, content)
    elif damage == "other zip":
        with zipfile.ZipFile(path, "w") as target:
            target.writestr("readme.txt", "hello")
    else:
        path.write_bytes({"empty": b"", "truncated": data[: len(data) // 2], "no zip": b"x" * 1000}[damage])
    with pytest.raises(ModelError):
        load_keras(path)


def test_a_missing_file_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="There is no model file"):
        load_keras(tmp_path / "none.keras")
