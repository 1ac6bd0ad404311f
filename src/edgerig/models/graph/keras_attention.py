"""Attention, embeddings and products of tensors in Keras: shapes of outputs and weights."""

from __future__ import annotations

import math

from edgerig.models.graph.keras_types import Config, Shape, Weights


def attention_shapes(kind: str, config: Config, inputs: list[Shape]) -> list[Shape]:
    """The output's shape, for inputs in the order query, value, key."""
    query, value = inputs[0], inputs[1]
    if kind in ("Attention", "AdditiveAttention"):
        return [(*query[:-1], value[-1])]
    stated = config.get("output_shape")
    if kind == "MultiHeadAttention" and stated:
        return [(*query[:-1], *([stated] if isinstance(stated, int) else stated))]
    return [query]


def attention_weights(kind: str, config: Config, inputs: list[Shape]) -> Weights:
    """Names and shapes of the weights; the last axis of query, value and key is that of their features."""
    if kind == "Attention":
        names = [("scale", config.get("use_scale")), ("concat_score_weight", config.get("score_mode") == "concat")]
        return {name: () for name, present in names if present}
    query, value = inputs[0], inputs[1]
    if kind == "AdditiveAttention":
        return {"scale": (query[-1],)} if config.get("use_scale", True) else {}
    key = inputs[2]
    if kind == "MultiHeadAttention":
        heads = value_heads = config["num_heads"]
        size, value_size = config["key_dim"], config.get("value_dim") or config["key_dim"]
    else:
        heads, value_heads = config["num_query_heads"], config["num_key_value_heads"]
        size = value_size = config["head_dim"]
    shapes = {"query": (query[-1], heads, size), "key": (key[-1], value_heads, size)}
    if config.get("use_gate"):
        shapes["gate"] = (query[-1], heads, value_size)
    shapes["value"] = (value[-1], value_heads, value_size)
    (output,) = attention_shapes(kind, config, inputs)
    added = output[len(query) - 1 :]
    shapes["attention_output"] = (heads, value_size, *added)
    weights: Weights = {}
    for name, shape in shapes.items():
        weights[f"{name}/kernel"] = shape
        if config.get("use_bias", True):
            weights[f"{name}/bias"] = added if name == "attention_output" else shape[1:]
    return weights


ATTENTION = frozenset({"Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"})


def dot_shape(config: Config, inputs: list[Shape]) -> Shape:
    """Dot: two tensors, multiplied and summed along an axis of each."""
    axes = config["axes"]
    pair = [axes, axes] if isinstance(axes, int) else list(axes)
    left, right = ([*shape] for shape in inputs)
    left.pop(pair[0])
    right.pop(pair[1])
    joined = (*left, *right[1:])
    return joined if len(joined) > 1 else (*joined, 1)


def embedding_weights(config: Config, _: Shape) -> Weights:
    """The table of an Embedding, and what LoRA adds to it."""
    return {"embeddings": (config["input_dim"], config["output_dim"])}


def einsum_terms(equation: str) -> tuple[str, str, str]:
    """The letters of input, weight and output, without dots."""
    sides, output = equation.replace(" ", "").replace("...", "").split("->")
    left, weight = sides.split(",")
    return left, weight, output


def _letter_sizes(config: Config, shape: Shape) -> tuple[dict[str, int], Shape]:
    """The size that each letter of an EinsumDense stands for, and the axes that its dots stand for."""
    equation = config["equation"].replace(" ", "")
    left, _, output = einsum_terms(equation)
    elided = len(shape) - len(left)
    dots_first = equation.startswith("...")
    lettered = shape[elided:] if dots_first else shape[: len(left)]
    rest = shape[:elided] if dots_first else shape[len(left) :]
    sizes = dict(zip(left, lettered, strict=True))
    stated = config["output_shape"]
    stated = [stated] if isinstance(stated, int) else list(stated)
    for letter, size in zip(output[::-1], stated[::-1], strict=False):
        if size is not None:
            sizes[letter] = size
    return sizes, rest


def einsum_shape(config: Config, shape: Shape) -> Shape:
    """EinsumDense: its output's shape."""
    sizes, rest = _letter_sizes(config, shape)
    _, _, output = einsum_terms(config["equation"])
    lettered = tuple(sizes[letter] for letter in output)
    return (*rest, *lettered) if config["equation"].lstrip().startswith("...") else (*lettered, *rest)


def einsum_weights(config: Config, shape: Shape) -> Weights:
    """EinsumDense: its kernel, and a bias that is 1 along axes that ``bias_axes`` does not name."""
    sizes, rest = _letter_sizes(config, shape)
    _, weight, output = einsum_terms(config["equation"])
    weights = {"kernel": tuple(sizes[letter] for letter in weight)}
    named = config.get("bias_axes")
    if named:
        first = min(output.index(letter) for letter in named)
        bias = [sizes[letter] if letter in named else 1 for letter in output[first:]]
        dots_first = config["equation"].lstrip().startswith("...")
        weights["bias"] = (*bias, *(() if dots_first else (1,) * len(rest)))
    return weights


def contracted(config: Config, kernel: Shape) -> int:
    """How many products EinsumDense sums up for one output element."""
    _, weight, output = einsum_terms(config["equation"])
    return math.prod(size for letter, size in zip(weight, kernel, strict=True) if letter not in output)
