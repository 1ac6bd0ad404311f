"""The operators of TFLite that the compiler knows: a class and a record of each, by family."""

from __future__ import annotations

from edgerig.micro.ir.operators import (
    batches,
    data_movement,
    detection,
    elementwise,
    extremes,
    functions,
    images,
    lstm,
    matmul,
    rearrangement,
    recurrent,
    shape_arithmetic,
    slices,
    state,
    weighted,
)
from edgerig.micro.ir.operators.record import OperatorRecord

#: All records by TFLite's name, in the order of the documentation's table.
RECORDS: dict[str, OperatorRecord] = {
    record.name: record
    for family in (
        weighted,
        matmul,
        images,
        elementwise,
        functions,
        extremes,
        data_movement,
        rearrangement,
        batches,
        slices,
        state,
        recurrent,
        lstm,
        detection,
        shape_arithmetic,
    )
    for record in family.RECORDS
}
