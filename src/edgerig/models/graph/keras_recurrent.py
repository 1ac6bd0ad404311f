"""Recurrent layers of Keras: the shapes of their outputs, states and weights."""

from __future__ import annotations

from edgerig.models.graph.keras_types import Config, Shape, Weights, per_axis, slid, with_bias

#: Matrices of a cell side by side in its kernels: of its gates, and of its candidate.
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
#: Vectors that a cell hands on to the next step.
STATES = {"SimpleRNN": 1, "GRU": 1, "LSTM": 2}
CONVOLUTIONAL = frozenset({"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"})
#: Layers over the steps of a sequence, axis 1 of their input.
RECURRENT = frozenset({*GATES, *CONVOLUTIONAL, "RNN"})


class UnknownCellError(Exception):
    """A cell of the user's own within an RNN layer."""


def recurrent_shapes(kind: str, config: Config, inputs: list[Shape]) -> list[Shape]:
    """The shapes of a recurrent layer's output and, where it returns them, of its states.

    Raises:
        UnknownCellError: It is an RNN with a cell that is not of Keras.
    """
    batch, steps = inputs[0][:2]
    if kind in CONVOLUTIONAL:
        output, states = _picture(config, inputs[0]), 2
        state_shapes = [(batch, *output)] * states
    else:
        cells = _cells(kind, config)
        output = (cells[-1][1]["units"],)
        state_shapes = [(batch, cell["units"]) for cell_kind, cell in cells for _ in range(STATES[cell_kind])]
    whole = (batch, steps, *output) if config.get("return_sequences") else (batch, *output)
    return [whole, *(state_shapes if config.get("return_state") else ())]


def recurrent_weights(kind: str, config: Config, inputs: list[Shape]) -> Weights:
    """Names and shapes of a recurrent layer's weights; raises as `recurrent_shapes`."""
    if kind in CONVOLUTIONAL:
        return _convolutional_weights(config, inputs[0])
    cells = _cells(kind, config)
    weights: Weights = {}
    features = inputs[0][-1]
    for cell_kind, cell in cells:
        prefix = f"{cell['name']}/" if kind == "RNN" else ""
        weights |= {prefix + name: shape for name, shape in _cell_weights(cell_kind, cell, features).items()}
        features = cell["units"]
    return weights


def _cells(kind: str, config: Config) -> list[tuple[str, Config]]:
    """The cells of a layer, the first one first: kind (without ``Cell``) and configuration."""
    if kind != "RNN":
        return [(kind, config)]
    cell = config["cell"]
    cells = cell["config"]["cells"] if cell["class_name"] == "StackedRNNCells" else [cell]
    kinds = [single["class_name"].removesuffix("Cell") for single in cells]
    if any(kind not in GATES for kind in kinds):
        raise UnknownCellError
    return [(kind, single["config"]) for kind, single in zip(kinds, cells, strict=True)]


def _cell_weights(kind: str, config: Config, features: int) -> Weights:
    units, gates = config["units"], GATES[kind]
    kernels: Weights = {"kernel": (features, gates * units), "recurrent_kernel": (units, gates * units)}
    # With reset_after, inputs and states have a bias each.
    if kind == "GRU" and config.get("reset_after", True):
        return with_bias(config, kernels, 2, gates * units)
    return with_bias(config, kernels, gates * units)


def _first(config: Config) -> bool:
    return config.get("data_format") == "channels_first"


def _frame(config: Config, shape: Shape) -> tuple[Shape, int]:
    """Height, width .. of a step's picture, and its channels."""
    frame = shape[2:]
    return (frame[1:], frame[0]) if _first(config) else (frame[:-1], frame[-1])


def _picture(config: Config, shape: Shape) -> Shape:
    """The shape of what a convolutional layer makes of one step, without the batch."""
    size, _ = _frame(config, shape)
    rank, filters = len(size), config["filters"]
    window, strides = per_axis(config["kernel_size"], rank), per_axis(config.get("strides", 1), rank)
    positions = slid(config, size, window, strides, per_axis(config.get("dilation_rate", 1), rank))
    return (filters, *positions) if _first(config) else (*positions, filters)


def _convolutional_weights(config: Config, shape: Shape) -> Weights:
    size, channels = _frame(config, shape)
    window, filters = per_axis(config["kernel_size"], len(size)), config["filters"]
    wide = GATES["LSTM"] * filters
    kernels = {"kernel": (*window, channels, wide), "recurrent_kernel": (*window, filters, wide)}
    return with_bias(config, kernels, wide)
