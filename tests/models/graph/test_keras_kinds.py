"""Every layer of Keras: shapes, types, weights and arithmetic out of the file alone, beside what Keras makes of it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgerig.models.graph import io_specs, read_graph
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.keras_preparing import NOT_FOR_DEVICES, SAME_PICTURE

Build = Callable[[Any], Any]
Inputs = tuple[tuple[int, ...], ...]

#: What cannot stand in a file by itself: base classes, and cells, which an RNN holds.
NO_LAYERS = {
    "Layer", "Wrapper", "InputLayer", "InputSpec", "LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells",
    "Equalization",  # Keras 3.15 builds no functional model with it: "is part of a cycle".
}  # fmt: skip
ROW, STEPS, PICTURE, CUBE, FILM = (6,), (7, 4), (8, 9, 3), (5, 6, 7, 2), (3, 8, 9, 2)

#: Class of the layer, the shapes of its inputs (without the batch), and the layer.
Case = tuple[str, Inputs, Build]


def case(name: str, *inputs: tuple[int, ...], **settings: Any) -> Case:
    return name, inputs, lambda layers: getattr(layers, name)(**settings)


def of(name: str, inputs: tuple[int, ...], build: Build) -> Case:
    return name, (inputs,), build


def windows(rank: int, shape: tuple[int, ...]) -> Iterator[Case]:
    """Convolutions, pools, borders along ``rank`` axes."""
    name = f"{{}}{rank}D".format
    yield case(name("Conv"), shape, filters=3, kernel_size=3, dilation_rate=1, padding="same", strides=2)
    yield case(name("Conv"), shape, filters=2, kernel_size=2, dilation_rate=2)
    for kind in ("Max", "Average"):
        yield case(name(f"{kind}Pooling"), shape, pool_size=2, strides=1, padding="same")
        yield case(name(f"Global{kind}Pooling"), shape, keepdims=kind == "Max")
        yield case(name(f"Adaptive{kind}Pooling"), shape, output_size=2)
    yield case(name("UpSampling"), shape, size=2)
    yield case(name("ZeroPadding"), shape, padding=2)
    yield case(name("Cropping"), shape, cropping=1)
    yield case(name("SpatialDropout"), shape, rate=0.5)
    transposed = f"{name('Conv')}Transpose"
    yield case(transposed, shape, filters=3, kernel_size=3, strides=2, padding="same", use_bias=False)
    yield case(transposed, shape, filters=3, kernel_size=2, strides=3)
    if rank < 3:
        yield case(transposed, shape, filters=3, kernel_size=3, strides=2, padding="same", output_padding=1)
        yield case(transposed, shape, filters=3, kernel_size=3, strides=2, output_padding=0)
        yield case(name("DepthwiseConv"), shape, kernel_size=3, depth_multiplier=2)
        yield case(name("SeparableConv"), shape, filters=5, kernel_size=3, depth_multiplier=2, padding="same")
    yield case(name("ConvLSTM"), (3, *shape), filters=2, kernel_size=3, return_sequences=True)
    yield case(name("ConvLSTM"), (3, *shape), filters=2, kernel_size=2, padding="same", strides=2, return_state=True)


def recurrent() -> Iterator[Case]:
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        yield case(kind, STEPS, units=5)
        yield case(kind, STEPS, units=5, return_sequences=True, return_state=True, use_bias=False)
        for mode in ("concat", "sum", "mul", "ave", None):
            yield of(
                "Bidirectional",
                STEPS,
                lambda layers, kind=kind, mode=mode: layers.Bidirectional(
                    getattr(layers, kind)(3, return_sequences=mode != "sum", return_state=mode == "mul"),
                    merge_mode=mode,
                ),
            )
    yield case("GRU", STEPS, units=5, reset_after=False, stateful=False)
    yield of("RNN", STEPS, lambda layers: layers.RNN(layers.GRUCell(5), return_state=True))
    stack = [("LSTMCell", 5), ("GRUCell", 3), ("SimpleRNNCell", 2)]
    yield of(
        "RNN", STEPS, lambda layers: layers.RNN([getattr(layers, kind)(n) for kind, n in stack], return_sequences=True)
    )


def wrapped() -> Iterator[Case]:
    yield of("TimeDistributed", FILM, lambda layers: layers.TimeDistributed(layers.Conv2D(4, 3, activation="relu")))
    yield of("TimeDistributed", STEPS, lambda layers: layers.TimeDistributed(layers.Dense(5)))
    yield of("TimeDistributed", (3, *STEPS), lambda layers: layers.TimeDistributed(layers.LSTM(5)))
    yield of("SpectralNormalization", PICTURE, lambda layers: layers.SpectralNormalization(layers.Conv2D(4, 3)))
    yield of("SpectralNormalization", ROW, lambda layers: layers.SpectralNormalization(layers.Dense(4)))
    yield of("Pipeline", PICTURE, lambda layers: layers.Pipeline([layers.RandomFlip(), layers.CenterCrop(4, 5)]))


def products() -> Iterator[Case]:
    for equation, shape, bias in (("abc,cd->abd", (5,), "d"), ("abc,cde->abde", (None, 2, 3), "e")):
        yield case(
            "EinsumDense",
            STEPS,
            equation=equation,
            output_shape=(None, *shape)[-2:] if bias == "d" else shape,
            bias_axes=bias,
        )
    yield case("EinsumDense", PICTURE, equation="...x,xy->...y", output_shape=4, bias_axes="y")
    yield case("Dense", STEPS, units=3, activation="relu")
    yield case("Dot", ROW, ROW, axes=1)
    yield case("Dot", STEPS, (5, 4), axes=(2, 2))
    for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
        inputs = (STEPS, STEPS)
        yield kind, inputs, lambda layers, kind=kind: getattr(layers, kind)()


def rows() -> Iterator[Case]:
    yield case("Embedding", ROW, input_dim=9, output_dim=4)
    yield case("ReversibleEmbedding", ROW, input_dim=9, output_dim=4, tie_weights=False)
    yield case("RepeatVector", ROW, n=3)
    for mode in ("one_hot", "multi_hot", "count"):
        yield case("CategoryEncoding", ROW, num_tokens=5, output_mode=mode)
    yield case("Discretization", ROW, bin_boundaries=[0.0, 0.5])
    yield case("Discretization", ROW, bin_boundaries=[0.0, 0.5], output_mode="one_hot")
    yield case("Flatten", PICTURE)
    yield case("Reshape", PICTURE, target_shape=(-1, 3))
    yield case("Permute", PICTURE, dims=(3, 1, 2))
    yield case("Masking", STEPS, mask_value=0.0)
    yield case("Activation", STEPS, activation="tanh")
    yield case("Normalization", STEPS, mean=0.0, variance=1.0)
    yield case("LayerNormalization", STEPS, rms_scaling=True)
    yield case("Rescaling", PICTURE, scale=2.0)
    for kind in (
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "Softmax",
        "Identity",
        "ActivityRegularization",
        "LayerNormalization",
    ):
        yield case(kind, STEPS)
    for kind in ("BatchNormalization", "RMSNormalization", "UnitNormalization"):
        yield case(kind, STEPS)
    yield case("GroupNormalization", (4, 6), groups=2)
    for kind in ("Dropout", "AlphaDropout", "GaussianDropout"):
        yield case(kind, STEPS, rate=0.5)
    yield case("GaussianNoise", STEPS, stddev=0.5)
    yield case("STFTSpectrogram", (64, 2), frame_length=16, frame_step=8, fft_length=16, mode="stft")
    yield case("STFTSpectrogram", (64, 1), frame_length=16, mode="log", expand_dims=True, padding="same")
    yield case("MelSpectrogram", (512,), fft_length=64, sequence_stride=32, num_mel_bins=8, sampling_rate=8000)


#: Settings that a layer on pictures cannot do without.
PICTURE_SETTINGS: dict[str, dict[str, Any]] = {
    "RandomBrightness": {"factor": 0.1}, "RandomContrast": {"factor": 0.1}, "RandomRotation": {"factor": 0.1},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1}, "RandomZoom": {"height_factor": 0.1},
    "RandomColorDegeneration": {"factor": 0.1}, "RandomHue": {"factor": 0.1}, "RandomSaturation": {"factor": 0.1},
    "RandomSharpness": {"factor": 0.1}, "RandomPosterization": {"factor": 4},
}  # fmt: skip


def pictures() -> Iterator[Case]:
    for kind in sorted(SAME_PICTURE - NO_LAYERS):
        yield case(kind, PICTURE, **PICTURE_SETTINGS.get(kind, {}))
    # In inference Keras 3.15 crops nothing at random, whatever size it states.
    yield case("RandomCrop", PICTURE, height=8, width=9)
    for kind in ("Resizing", "CenterCrop"):
        yield case(kind, PICTURE, height=5, width=4)


def attention() -> Iterator[Case]:
    query, value, key = (5, 6), (7, 4), (7, 6)
    yield "Attention", (query, (7, 6)), lambda layers: Listed(layers.Attention(use_scale=True))
    yield "Attention", (query, value, key), lambda layers: Listed(layers.Attention(score_mode="dot"))
    yield "AdditiveAttention", (query, (7, 6)), lambda layers: Listed(layers.AdditiveAttention())
    heads = {"num_heads": 2, "key_dim": 3}
    yield case("MultiHeadAttention", query, value, **heads)
    yield case("MultiHeadAttention", query, value, (7, 5), **heads, output_shape=9, use_bias=False)
    yield case("MultiHeadAttention", (2, 3, 6), (2, 3, 6), **heads, attention_axes=(2,))
    yield "GroupQueryAttention", (query, (7, 6)), lambda layers: layers.GroupQueryAttention(4, 4, 2)


class Listed:
    """A layer that takes its inputs as one list."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __call__(self, *inputs: Any) -> Any:
        return self.layer(list(inputs))


CASES = [
    *windows(1, (9, 4)), *windows(2, PICTURE), *windows(3, CUBE), *recurrent(), *wrapped(), *products(), *rows(),
    *pictures(), *attention(),
]  # fmt: skip
LISTED = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"})
INTEGERS = frozenset({"Embedding", "ReversibleEmbedding", "CategoryEncoding"})
#: JAX resizes by products with matrices that it makes for it; normalizations have products that are no matrices'.
OTHER_PRODUCTS = frozenset(
    {
        "MelSpectrogram",
        "Resizing",
        "BatchNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "RMSNormalization",
        "UnitNormalization",
        "SpectralNormalization",
    }
)
#: Sound is taken apart by a Fourier transform, and pictures by look-ups, which are no products.
UNCOUNTED = frozenset({"MelSpectrogram", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization"})


def test_each_layer_of_keras_is_known_or_refused_with_a_reason() -> None:
    from edgerig.models.keras.engine import import_keras

    layers = import_keras().layers
    classes = {value.__name__ for value in vars(layers).values() if inspect.isclass(value)}
    # The name under which files have it.
    classes = {"GroupQueryAttention" if name == "GroupedQueryAttention" else name for name in classes}
    covered = {name for name, _, _ in CASES}
    assert covered | NOT_FOR_DEVICES.keys() | NO_LAYERS == classes
    assert not covered & NOT_FOR_DEVICES.keys()


@pytest.fixture(scope="module")
def keras() -> Any:
    from edgerig.models.keras.engine import import_keras

    return import_keras()


def model_of(keras: Any, name: str, inputs: Inputs, build: Build) -> Any:
    dtype = "int32" if name in INTEGERS else "float32"
    tensors = [keras.Input(shape, dtype=dtype) for shape in inputs]
    layer = build(keras.layers)
    outputs = layer(tensors) if name in LISTED else layer(*tensors)
    return keras.Model(tensors, outputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "inputs", "build"), CASES, ids=[f"{number}-{name}" for number, (name, _, _) in enumerate(CASES)]
)
def test_what_the_file_says_is_what_keras_makes(
    keras: Any, tmp_path: Path, name: str, inputs: Inputs, build: Build
) -> None:
    model = model_of(keras, name, inputs, build)
    model.save(tmp_path / "net.keras")
    graph = read_graph(tmp_path / "net.keras")
    _, outputs = io_specs(graph)
    assert [tuple(spec.shape) for spec in outputs] == [tuple(value.shape) for value in results(model)]
    assert [spec.dtype for spec in outputs] == [str(value.dtype) for value in results(model)]
    analysis = analyse(graph)
    # A generator of random numbers has a seed, which is no weight.
    assert analysis.parameters == model.count_params()
    assert "unknown_layers" not in graph.metadata
    if name not in UNCOUNTED:
        assert analysis.notes == ()
    if name not in OTHER_PRODUCTS:
        assert analysis.macs == multiplications(model)


def results(model: Any) -> list[Any]:
    import jax

    from edgerig.models.keras.files import stateless

    return list(jax.eval_shape(stateless(model), arguments(model)))


def arguments(model: Any) -> list[Any]:
    import jax

    return [jax.ShapeDtypeStruct((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]


def multiplications(model: Any) -> int:
    """The products of matrices and convolutions in what JAX makes of a model, those within loops for each turn."""
    import jax
    from jax.interpreters import partial_eval

    from edgerig.models.keras.files import stateless

    closed = jax.make_jaxpr(stateless(model))(arguments(model))
    # Keras computes a step beforehand to learn its shapes, and drops it.
    used, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    return products_in(used)


def products_in(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        left, right = ([*equation.invars, None, None][at] for at in (0, 1))
        if equation.primitive.name == "dot_general":
            (contracting, _), _ = equation.params["dimension_numbers"]
            inner = math.prod(left.aval.shape[axis] for axis in contracting)
            total += math.prod(equation.outvars[0].aval.shape) * inner
        elif equation.primitive.name == "conv_general_dilated":
            numbers = equation.params["dimension_numbers"]
            spatial = math.prod(right.aval.shape[axis] for axis in numbers.rhs_spec[1:])
            scattered = any(stride > 1 for stride in equation.params["lhs_dilation"])
            positions = math.prod(left.aval.shape) if scattered else math.prod(equation.outvars[0].aval.shape)
            if scattered:
                spatial = spatial // right.aval.shape[numbers.rhs_spec[1]] * right.aval.shape[numbers.rhs_spec[0]]
            total += positions * spatial
        turns = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        for value in equation.params.values():
            inner_jaxpr = getattr(value, "jaxpr", value)
            if hasattr(inner_jaxpr, "eqns"):
                total += turns * products_in(inner_jaxpr)
    return total


def test_an_attention_layers_tensors_are_known_by_their_names(keras: Any, tmp_path: Path) -> None:
    query, value = keras.Input((5, 6)), keras.Input((7, 4))
    mask = keras.Input((5, 7), dtype="bool")
    layer = keras.layers.MultiHeadAttention(2, 3)
    named = keras.Model([query, value, mask], layer(attention_mask=mask, value=value, query=query))
    named.save(tmp_path / "net.keras")
    analysis = analyse(read_graph(tmp_path / "net.keras"))
    assert (analysis.parameters, analysis.macs) == (named.count_params(), multiplications(named))


def test_outputs_of_operations_are_told_by_keras(keras: Any, tmp_path: Path) -> None:
    ops, pictures = keras.ops, keras.Input((4, 6))
    rows = ops.softmax(ops.reshape(keras.layers.Dense(8)(pictures), (-1, 8, 4)) * 2.0)
    left, right = ops.split(rows, 2, axis=1)
    model = keras.Model(pictures, [ops.mean(rows, axis=1), right, left[:, :3], ops.argmax(rows, axis=-1)])
    model.save(tmp_path / "net.keras")
    graph = read_graph(tmp_path / "net.keras")
    outputs = io_specs(graph)[1]
    assert [(spec.shape, spec.dtype) for spec in outputs] == [
        ((1, 4), "float32"), ((1, 4, 4), "float32"), ((1, 3, 4), "float32"), ((1, 8), "int32")
    ]  # fmt: skip
    analysis = analyse(graph)
    assert (analysis.parameters, analysis.macs, analysis.notes) == (56, 4 * 6 * 8, ())


def test_state_that_a_layer_hands_on_is_counted(keras: Any, tmp_path: Path) -> None:
    steps = keras.Input(STEPS)
    _, hidden, carry = keras.layers.LSTM(5, return_state=True, name="encoder")(steps)
    decoded = keras.layers.LSTM(5, return_sequences=True)(steps, initial_state=[hidden, carry])
    model = keras.Model(steps, [carry, decoded])
    model.save(tmp_path / "net.keras")
    graph = read_graph(tmp_path / "net.keras")
    assert [spec.shape for spec in io_specs(graph)[1]] == [(1, 5), (1, 7, 5)]
    assert analyse(graph).macs == multiplications(model)


def test_models_within_a_time_distributed_layer_run_once_a_step(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    frame = keras.Input((8, 9, 2))
    hidden = layers.Conv2D(4, 3, padding="same")(frame)
    each = keras.Model(frame, layers.GlobalAveragePooling2D()(layers.Add()([hidden, layers.Conv2D(4, 1)(hidden)])))
    film = keras.Sequential([keras.Input((3, 8, 9, 2)), layers.TimeDistributed(each), layers.LSTM(4)])
    film.save(tmp_path / "net.keras")
    analysis = analyse(read_graph(tmp_path / "net.keras"))
    assert (analysis.parameters, analysis.macs) == (film.count_params(), multiplications(film))
