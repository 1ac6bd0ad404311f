"""An engine that computes a float32 network otherwise than its reference is named; one that rounds otherwise is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgerig.datasets.base import Dataset
from edgerig.engine.references.predictions import noise_beside, store_predictions
from edgerig.engine.rounds.same_network import unlike_reference
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.testing import networks

RNG = np.random.default_rng(0)
REFERENCE = RNG.normal(size=(500, 10))
SPAN = float(np.ptp(REFERENCE))


def gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def approximated_gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def test_gelu_by_its_approximation_is_named_where_the_noise_is_known() -> None:
    """It is off by up to 4.7e-4, which is less than a limit that fits all networks."""
    x = np.linspace(-3, 1, 200)[:, None]
    exact, approximated = gelu(x), approximated_gelu(x)
    said = unlike_reference(approximated, exact, "mnn", noise=1e-7)
    assert "mnn does not compute this float32 network as its reference does: outputs differ by up to 0.00047" in (
        said or ""
    )
    assert unlike_reference(approximated, exact, "mnn") is None, "without the noise only more than that is certain"


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-2])
def test_rounding_is_not_named(noise: float) -> None:
    """A network that enlarges roundings may differ by as much."""
    rounded = REFERENCE + 9 * noise * RNG.uniform(-1, 1, REFERENCE.shape) + 5e-5 * SPAN
    assert unlike_reference(rounded, REFERENCE, "any", noise=noise) is None


@pytest.mark.parametrize("noise", [0.0, None])
def test_units_in_the_last_place_of_large_outputs_are_rounding(noise: float | None) -> None:
    """Outputs of about 100 that vary by 1e-4 have but 13 values in float32; 1 unit is 8 % of their range."""
    reference = np.float32(100) + np.linspace(0, 1e-4, 50, dtype=np.float32)[:, None]
    other = np.nextafter(reference, np.float32(200))
    assert unlike_reference(other, reference, "any", noise=noise) is None
    assert unlike_reference(reference + np.float32(1e-3), reference, "any", noise=noise) is not None


def test_what_is_beyond_noise_and_share_is_named_with_what_is_allowed() -> None:
    said = unlike_reference(REFERENCE + 1e-2 * SPAN, REFERENCE, "any", noise=1e-4 * SPAN)
    assert "1.00% of their range, and rounding makes less than 0.11%" in (said or "")


def test_a_reference_has_its_noise_beside_it(tmp_path: Path) -> None:
    network = open_artifact(networks.dense_onnx(tmp_path / "net.onnx"))
    dataset = make("dataset", "random", Dataset, {"shape": [8], "samples": 40})
    dataset.prepare(Progress())
    path = tmp_path / "predictions.npy"
    store_predictions(network, EvaluationSamples(dataset, None), path, Progress())
    noise = noise_beside(path)
    assert noise is not None
    assert 0 < noise < 1e-5, "a softmax of eight features, which move by a few millionths of themselves"
    assert np.load(path).shape == (40, 4)


def test_integers_tell_no_noise(tmp_path: Path) -> None:
    """They cannot move by rounding: that the outputs do not either says nothing of how the network rounds."""
    x, out = helper.make_tensor_value_info, TensorProto.FLOAT
    nodes = [helper.make_node("Cast", ["x"], ["real"], to=out), helper.make_node("Softmax", ["real"], ["y"])]
    graph = helper.make_graph(nodes, "tokens", [x("x", TensorProto.INT32, [1, 8])], [x("y", out, [1, 8])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    dataset = make("dataset", "random", Dataset, {"shape": [8], "samples": 40})
    dataset.prepare(Progress())
    path = tmp_path / "predictions.npy"
    store_predictions(open_artifact(tmp_path / "net.onnx"), EvaluationSamples(dataset, None), path, Progress())
    assert np.load(path).shape == (40, 8)
    assert noise_beside(path) is None
