"""Names in files, and the layers that they tell of."""

import pytest

from edgerig.measure.layer_key import LayerKey
from edgerig.models.graph.layer_names import LayerNames

SOURCE = ("conv", "block/conv", "block/norm", "flatten", "probabilities")


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("max;conv/add;conv/conv_general_dilated;conv/reshape1", ("conv",)),
        ("jit(<lambda>)/block/conv/add", ("block/conv",)),
        ("probabilities/dot_general;flatten/reshape;probabilities/add", ("flatten", "probabilities")),
        ("net/block/norm/mul1", ("block/norm",)),
        ("conv/conv_general_dilated_DequantizeLinear", ("conv",)),
    ],
)
def test_a_scope_that_a_layer_bears_is_that_layer(name: str, layers: tuple[str, ...]) -> None:
    assert LayerNames(SOURCE, {"DequantizeLinear"}).key_of(name) == LayerKey(layers, "layer")


def test_an_operator_that_is_called_as_a_layer_is_none() -> None:
    names = LayerNames(("max", "add", "conv"))
    assert names.key_of("max;conv/add") == LayerKey(("conv",), "layer")
    assert names.key_of("add/add") == LayerKey(("add",), "layer")
    assert names.key_of("max").named_by == "tensor"


@pytest.mark.parametrize("name", ["output", "conv2/add", "max", "jit(conv)/add", "conv", "a/b/conv/add"])
def test_a_name_of_no_layer_is_a_tensors(name: str) -> None:
    key = LayerNames(SOURCE).key_of(name)
    assert key == LayerKey((name,), "tensor")
    assert key.label == f"[{name}]"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("jit(<lambda>)/max_pooling2d/reduce_window_max", LayerKey(("max_pooling2d",), "scope")),
        ("conv/add/Conv", LayerKey(("conv",), "scope")),
        ("norm/mul1/Mul_QuantizeLinear", LayerKey(("norm",), "scope")),
        ("/features/conv1/Conv", LayerKey(("features/conv1",), "scope")),
        ("output/Conv", LayerKey(("output",), "tensor")),
        ("Conv_0", LayerKey(("Conv_0",), "tensor")),
        ("dense/dot;flat/reshape", LayerKey(("dense", "flat"), "scope")),
        (
            "torch.nn.modules.container.Sequential/torch.nn.modules.container.Sequential_0/torch.nn.modules.conv.Conv2d_3;1",
            LayerKey(("Sequential_0/Conv2d_3",), "scope"),
        ),
        (
            "nets.Net/nets.Net_0/torch.nn.modules.linear.Linear_9;;nets.Net/nets.Net_0/torch.nn.modules.activation.ReLU_1;",
            LayerKey(("Net_0/Linear_9", "Net_0/ReLU_1"), "scope"),
        ),
        ("v1.2/net_0", LayerKey(("v1.2",), "scope")),
    ],
)
def test_without_the_source_the_scope_stands_as_it_is(name: str, key: LayerKey) -> None:
    assert LayerNames((), {"Conv", "Mul", "QuantizeLinear"}).key_of(name) == key
