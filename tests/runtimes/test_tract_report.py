"""What tract's `profile_json` tells, read without tract: a report of version 0.23.9 of softmax(W x + b)."""

from __future__ import annotations

from edgerig.measure.census import Census, OperatorGroup
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.runtimes.tract_report import census_of, layers_of

REPORT = {
    "nodes": [
        {"qualified_id": [[], 3], "op_name": "Softmax", "node_name": "softmax"},
        {"qualified_id": [[], 0], "op_name": "Source", "node_name": "x", "secs_per_iter": 4e-8},
        {
            "qualified_id": [[], 2],
            "op_name": "OptMatMul",
            "node_name": "dense",
            "cost": {"FMA(F32)": "32"},
            "secs_per_iter": 1.4e-6,
        },
        {"qualified_id": [[], 1], "op_name": "Const", "node_name": "dense.c", "cost": {"Params(F32)": "4"}},
    ],
    "profiling_info": {"iterations": 1200, "secs_per_iter": 1.5e-6},
}


def test_operators_come_in_their_order_and_with_their_times() -> None:
    product, softmax = layers_of(REPORT)
    assert (product.index, product.name, product.op) == (0, "dense", "OptMatMul")
    assert isinstance(product.time, Measurement)
    assert (product.time.value, product.time.unit, product.time.n) == (1.4e-6, "s", 1200)
    assert (softmax.index, softmax.op) == (1, "Softmax")
    assert isinstance(softmax.time, Unavailable), "a time that is not there is no zero"


def test_the_type_is_known_of_what_multiplies_alone() -> None:
    census = census_of(REPORT)
    assert isinstance(census, Census)
    assert census.operators == (
        OperatorGroup(op="OptMatMul", placement="CPU", dtype="float32", count=1),
        OperatorGroup(op="Softmax", placement="CPU", dtype="", count=1),
    )


def test_a_report_of_nothing_is_no_census() -> None:
    assert isinstance(census_of({"nodes": []}), Unavailable)
    assert layers_of({}) == []
