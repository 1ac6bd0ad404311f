"""Valid TFLite files whose inference never ends."""

from __future__ import annotations

import numpy as np

from edgerig.testing.networks.tflite_builder import TfliteBuilder


def endless_while() -> bytes:
    """A dense layer and a WHILE whose condition is always true; four float32 in and out."""
    net = TfliteBuilder()
    x, z, y = (net.tensor(name, (1, 4), "float32") for name in "xzy")
    weights = net.tensor("w", (4, 4), "float32", np.eye(4))
    condition = net.subgraph()
    state, true = net.tensor("c", (1, 4), "float32"), net.tensor("t", (1,), "bool")
    constant = net.tensor("one", (1,), "float32", np.ones(1))
    net.operator("EQUAL", [constant, constant], [true], "EqualOptions")
    net.ends([state], [true])
    body = net.subgraph()
    before, after = (net.tensor(name, (1, 4), "float32") for name in ("before", "after"))
    net.operator("ABS", [before], [after], "AbsOptions")
    net.ends([before], [after])
    net.main()
    net.operator("FULLY_CONNECTED", [x, weights, -1], [z], "FullyConnectedOptions")
    net.operator("WHILE", [z], [y], "WhileOptions", condSubgraphIndex=condition, bodySubgraphIndex=body)
    return net.build([x], [y])


def doubling_branches(depth: int = 30) -> bytes:
    """Subgraphs of two IFs each, both of which call the next: 2 to the power of ``depth`` calls; four float32."""
    net = TfliteBuilder()
    x, z, y = (net.tensor(name, (1, 4), "float32") for name in "xzy")
    weights = net.tensor("w", (4, 4), "float32", np.eye(4))
    flag = net.tensor("flag", (1,), "bool", np.ones(1))
    for index in range(depth):
        net.subgraph()
        before, between, after = (net.tensor(f"{name}{index}", (1, 4), "float32") for name in "abc")
        true = net.tensor(f"t{index}", (1,), "bool", np.ones(1))
        following = {"thenSubgraphIndex": index + 2, "elseSubgraphIndex": index + 2}
        net.operator("IF", [true, before], [between], "IfOptions", **following)
        net.operator("IF", [true, between], [after], "IfOptions", **following)
        net.ends([before], [after])
    net.subgraph()
    first, last = net.tensor("first", (1, 4), "float32"), net.tensor("last", (1, 4), "float32")
    net.operator("ABS", [first], [last], "AbsOptions")
    net.ends([first], [last])
    net.main()
    net.operator("FULLY_CONNECTED", [x, weights, -1], [z], "FullyConnectedOptions")
    net.operator("IF", [flag, z], [y], "IfOptions", thenSubgraphIndex=1, elseSubgraphIndex=1)
    return net.build([x], [y])
