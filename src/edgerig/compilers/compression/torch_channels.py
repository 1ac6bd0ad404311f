"""How channels run through a program of torch.export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import getitem
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.compression.channels import Channels, Labels, Source
from edgerig.compilers.compression.torch_graph import WEIGHT_AT, operator_of, shape_of
from edgerig.compilers.compression.torch_moves import Track, moved, normed, padded, parts, reduced, sliced

#: Operators that compute each value by itself, from one tensor.
ELEMENTWISE = frozenset(
    {
        "abs", "alias", "alpha_dropout", "celu", "clamp", "clone", "contiguous", "detach", "dropout", "elu", "exp",
        "feature_dropout", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log", "log_sigmoid", "mish",
        "neg", "pow", "relu", "relu6", "rsqrt", "selu", "sigmoid", "silu", "softplus", "softsign", "sqrt", "square",
        "tanh", "threshold", "to",
    }
)  # fmt: skip
#: Operators on the axes after the second, channel by channel.
POOLING = frozenset(
    {
        "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d",
        "adaptive_max_pool2d", "max_pool1d", "max_pool2d", "max_pool3d", "upsample_bilinear2d", "upsample_nearest1d",
        "upsample_nearest2d",
    }
)  # fmt: skip
#: Operators that compute each value from those at the same position of two tensors.
MERGING = frozenset({"add", "div", "maximum", "minimum", "mul", "sub"})
#: Operators that only move values.
MOVING = frozenset(
    {"_unsafe_view", "flatten", "permute", "reshape", "squeeze", "t", "transpose", "unflatten", "unsqueeze", "view"}
)
CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d"})
TRANSPOSED = frozenset({"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"})
#: The position of the number of groups among the arguments of convolutions.
GROUPS_AT = 6
_OUTPUT, _INPUT = "its channels are an output of the network", "its channels meet an input of the network"


class Walk:
    """Goes through the graph of a module from inputs to outputs.

    Attributes:
        channels: What it learned; weights and layers are called as the module calls them.
        tracks: The channels of what each node gives.
        groups: Of each convolution in groups of which whole ones may go, the channel that stands for each group.
    """

    def __init__(self, module: Any) -> None:
        self.state = {name: value.detach() for name, value in module.state_dict().items()}
        self.channels, self.tracks = Channels(), dict[Any, Track]()
        self.groups: dict[Any, Labels] = {}
        self.sources: dict[Any, Source] = {}
        self.parts: dict[Any, list[Track]] = {}
        self.known = set[str]()
        self.reads = Counter(str(n.target) for n in module.graph.nodes if n.op == "get_attr" for _ in n.users)
        for node in module.graph.nodes:
            if node.op == "output":
                for source in node.all_input_nodes:
                    self._keep(source, _OUTPUT, foremost=True)
            elif node.op == "placeholder":
                self._stays(node, _INPUT)
            elif node.op != "get_attr":
                self._pass(node)

    def _pass(self, node: Any) -> None:
        if operator_of(node) == "chunk" and node.args[0] in self.tracks:
            self.parts[node] = parts(node, self.tracks[node.args[0]], self.channels)
            if self.parts[node]:
                return
        track = self._through(node)
        if track is not None:
            self.tracks[node] = track
            return
        weight = self._read(node, WEIGHT_AT.get(operator_of(node)))
        times = self.reads[weight] if weight else 1
        reason = f"its channels meet {node.name} ({operator_of(node) or node.target})"
        if times > 1:
            reason = f"{weight} is used {times} times"
        for source in node.all_input_nodes:
            self._keep(source, reason)
        self._stays(node, reason)
        if weight is not None and node in self.tracks and weight not in self.known:
            labels = self.tracks[node].labels
            self._name(node, weight, labels, np.zeros(len(labels)))

    def _through(self, node: Any) -> Track | None:
        """The channels of what a node gives; None where they cannot be followed."""
        operator, source = operator_of(node), node.args[0] if node.args else None
        if operator == "cat":
            return self._joined(node)
        if node.target is getitem and self.parts.get(source):
            part: Track = self.parts[source][node.args[1]]
            return part
        if operator in MERGING and len(node.args) > 1 and hasattr(node.args[1], "op"):
            return self._merged(node)
        track = self.tracks.get(source) if hasattr(source, "op") else None
        if track is None:
            return None
        if operator in ELEMENTWISE or operator in MERGING:
            return track
        if operator in POOLING:
            return track if track.axis == 1 else None
        rules: dict[str, Callable[[Any, Track], Track | None]] = {
            "batch_norm": self._normalized,
            "linear": self._dense,
            "prelu": self._prelu,
            **dict.fromkeys(CONVOLUTIONS | TRANSPOSED, self._convolution),
            **dict.fromkeys(MOVING, lambda node, track: moved(node, track, self.channels)),
            **dict.fromkeys(("mean", "sum", "amax", "amin"), reduced),
            **dict.fromkeys(("pad", "constant_pad_nd"), padded),
            **dict.fromkeys(("softmax", "log_softmax"), normed),
            "slice": sliced,
        }
        return rules[operator](node, track) if operator in rules else None

    def _read(self, node: Any, position: int | None) -> str | None:
        """The name of the weight at a position of a node's arguments; None where there is none, or it is computed."""
        weight: Any = node.args[position] if position is not None and position < len(node.args) else None
        name = str(weight.target) if getattr(weight, "op", None) == "get_attr" else None
        return name if name in self.state else None

    def _weight(self, node: Any, position: int) -> str | None:
        """As `_read`; None, too, where another node reads it."""
        name = self._read(node, position)
        return name if name is not None and self.reads[name] == 1 else None

    def _bias(self, node: Any) -> tuple[str | None, bool]:
        """The name of the bias, and whether there is one that cannot be cut."""
        there = len(node.args) > 2 and node.args[2] is not None
        name = self._weight(node, 2) if there else None
        return name, there and name is None

    def _dense(self, node: Any, track: Track) -> Track | None:
        weight, (bias, strange) = self._weight(node, 1), self._bias(node)
        shape = shape_of(node)
        if weight is None or strange or shape is None:
            return None
        labels = self._source(node, weight, 0, bias)
        if track.axis == len(shape) - 1:
            self.channels.cut(weight, 1, track.labels)
        else:
            # Its inputs stay, which does not bind its outputs.
            self.channels.keep(track.labels, f"its channels meet {node.name} (linear)")
        return Track(len(shape) - 1, labels)

    def _convolution(self, node: Any, track: Track) -> Track | None:
        weight, (bias, strange) = self._weight(node, 1), self._bias(node)
        groups = node.args[GROUPS_AT] if len(node.args) > GROUPS_AT else 1
        if weight is None or strange or track.axis != 1:
            return None
        shape, transposed = self.state[weight].shape, operator_of(node) in TRANSPOSED
        # The axes of a kernel along which its input and its output channels run; of groups one has those of each.
        taken, given = (0, 1) if transposed else (1, 0)
        if groups == 1:
            labels = self._source(node, weight, given, bias)
            self.channels.cut(weight, taken, track.labels)
            return Track(1, labels)
        width = shape[1] * groups if transposed else shape[0]
        labels, whole = self.channels.by_groups(track.labels, width, groups)
        if whole is not None:
            self.groups[node] = whole
            self.channels.cut(weight, 0, track.labels if transposed else labels)
        else:
            first = track.labels[: len(track.labels) // groups], labels[: width // groups]
            self.channels.cut(weight, taken, track.labels if transposed else first[0])
            self.channels.cut(weight, given, first[1] if transposed else labels)
        if bias is not None:
            self.channels.cut(bias, 0, labels)
        # A depthwise convolution gives no channels of its own.
        if whole is None or len(track.labels) > groups:
            self._name(node, weight, labels, self._norms(weight, given, groups if transposed else 1))
        return Track(1, labels)

    def _norms(self, weight: str, axis: int, repeated: int = 1) -> NDArray[np.float64]:
        """The L1 norm of what each output channel, along ``axis`` of a kernel, is made with; ``repeated``: how many
        groups of input channels, its first axis, have output channels at each position of their own."""
        values = np.abs(self.state[weight].numpy().astype(np.float64))
        parts = np.moveaxis(values, axis, 0).reshape(values.shape[axis], repeated, -1)
        norms: NDArray[np.float64] = parts.sum(axis=2).T.reshape(-1)
        return norms

    def _source(self, node: Any, weight: str, axis: int, bias: str | None) -> Labels:
        norms = self._norms(weight, axis)
        labels = self.channels.fresh(len(norms))
        self._name(node, weight, labels, norms)
        self.channels.cut(weight, axis, labels)
        if bias is not None:
            self.channels.cut(bias, 0, labels)
        return labels

    def _name(self, node: Any, weight: str, labels: Labels, norms: NDArray[np.float64]) -> None:
        self.known.add(weight)
        self.sources[node] = self.channels.source(weight.removesuffix(".weight"), labels, norms)

    def _normalized(self, node: Any, track: Track) -> Track | None:
        positions = [at for at in range(1, 5) if node.args[at] is not None]
        names = [self._weight(node, at) for at in positions]
        if track.axis != 1 or None in names:
            return None
        for name in filter(None, names):
            self.channels.cut(name, 0, track.labels)
        source, variance = node.args[0], self._weight(node, 4)
        if source in self.sources and len(source.users) == 1 and variance is not None:
            scale = 1 / np.sqrt(self.state[variance].numpy().astype(np.float64) + float(node.args[7]))
            gamma = self._weight(node, 1)
            if gamma is not None:
                scale *= np.abs(self.state[gamma].numpy())
            self.sources[source].norms *= scale
        return track

    def _prelu(self, node: Any, track: Track) -> Track | None:
        name = self._weight(node, 1)
        if name is None or track.axis != 1:
            return None
        if self.state[name].numel() > 1:
            self.channels.cut(name, 0, track.labels)
        return track

    def _joined(self, node: Any) -> Track | None:
        tracks = [self.tracks.get(source) for source in node.args[0]]
        shape = shape_of(node)
        axis = (node.args[1] if len(node.args) > 1 else 0) % len(shape or (1,))
        known = [track for track in tracks if track is not None]
        if shape is None or len(known) < len(tracks) or len({track.axis for track in known}) != 1:
            return None
        if axis == known[0].axis:
            return Track(axis, np.concatenate([track.labels for track in known]))
        for track in known[1:]:
            self.channels.unite(known[0].labels, track.labels)
        return known[0]

    def _merged(self, node: Any) -> Track | None:
        """Of two tensors that are broadcast to each other, channels at equal positions are one."""
        shape, sides = shape_of(node), node.args[:2]
        known = [(self.tracks[side], len(shape_of(side) or ())) for side in sides if side in self.tracks]
        if shape is None or not known:
            return None
        # Counted from the last axis, as broadcasting counts.
        axes = {track.axis - rank for track, rank in known}
        widest = max((track for track, _ in known), key=lambda track: len(track.labels))
        axis = axes.pop()
        if axes or len(widest.labels) != shape[axis]:
            return None
        if len(known) == len(sides):
            for track, _ in known:
                if track is not widest and len(track.labels) > 1:
                    self.channels.unite(widest.labels, track.labels)
            return Track(len(shape) + axis, widest.labels)
        (other,) = [side for side in sides if side not in self.tracks]
        if not self._constant(other, axis, widest.labels):
            return None
        return Track(len(shape) + axis, widest.labels)

    def _constant(self, other: Any, axis: int, labels: Labels) -> bool:
        """Cut a weight that a tensor meets value by value; whether that can be."""
        if getattr(other, "op", None) != "get_attr" or str(other.target) not in self.state:
            return False
        shape = self.state[str(other.target)].shape
        if len(shape) < -axis or shape[axis] == 1:
            return True
        if self.reads[str(other.target)] != 1:
            return False
        self.channels.cut(str(other.target), len(shape) + axis, labels)
        return True

    def _stays(self, node: Any, reason: str) -> None:
        shape = shape_of(node)
        if shape:
            axis = min(1, len(shape) - 1)
            self.tracks[node] = Track(axis, self.channels.fresh(shape[axis]))
            self._keep(node, reason)

    def _keep(self, node: Any, reason: str, *, foremost: bool = False) -> None:
        if node in self.tracks:
            self.channels.keep(self.tracks[node].labels, reason, foremost=foremost)
