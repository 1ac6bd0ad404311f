"""A program of torch.export with fewer channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.compilers.compression.torch_channels import GROUPS_AT, Walk
from edgerig.compilers.compression.torch_graph import SHAPED, operator_of, shape_of, unlifted
from edgerig.errors import CompileError
from edgerig.models.torch.engine import import_torch, quiet
from edgerig.text import cause_of


def pruned(program: Any, share: float) -> tuple[Any, dict[str, tuple[int, int]], dict[str, str]]:
    """A new program without the weakest ``share`` of channels, see `Channels.removed`; ``program`` stays as it is.

    Returns:
        The new program; channels before and after, by layer; and why the others were left alone, by layer.

    Raises:
        CompileError: torch.export cannot follow what is left.
    """
    torch = import_torch()
    module = unlifted(program)
    walk = Walk(module)
    channels, removed = walk.channels, walk.channels.removed(share)
    arrays = {name: value.numpy() for name, value in walk.state.items()}
    for name, array in channels.smaller(arrays, removed).items():
        if array.shape != arrays[name].shape:
            _replace(module, name, torch.from_numpy(np.ascontiguousarray(array)))
    for node, track in walk.tracks.items():
        size = len(channels.left(track.labels, removed))
        if operator_of(node) in SHAPED and size < len(track.labels):
            shape = list(shape_of(node) or ())
            shape[track.axis] = size
            node.update_arg(1, shape)
    for node, labels in walk.groups.items():
        node.update_arg(GROUPS_AT, len(channels.left(labels, removed)))
    module.recompile()
    samples = tuple(
        torch.zeros(shape_of(node), dtype=node.meta["val"].dtype)
        for node in module.graph.nodes
        if node.op == "placeholder"
    )
    try:
        with quiet():
            smaller = torch.export.export(module, samples)
    except Exception as error:
        raise CompileError(
            f"torch.export cannot follow the network with fewer channels: {cause_of(error)}.",
            "Does its `forward` have sizes as literal numbers? Compiler prune needs no other sizes.",
        ) from error
    return smaller, channels.widths(removed), channels.obstacles()


def _replace(module: Any, name: str, value: Any) -> None:
    owner, _, leaf = name.rpartition(".")
    part = module.get_submodule(owner)
    if leaf in part._parameters:
        part._parameters[leaf] = import_torch().nn.Parameter(value)
    else:
        part._buffers[leaf] = value
