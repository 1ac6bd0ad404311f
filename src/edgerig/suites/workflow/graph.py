"""What a workflow's steps need of one another, and an order in which they can run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from edgerig.errors import SpecError
from edgerig.suites.workflow.types import StoreOutput, Target


def in_order(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """The steps, each after those that it needs; otherwise as they stand in the file.

    Raises:
        SpecError: Some need one another in a circle; names them.
    """
    order: list[str] = []
    waiting = list(needs)
    while waiting:
        ready = [name for name in waiting if all(other in order for other in needs[name])]
        if not ready:
            circle = _circle(needs, waiting)
            raise SpecError(
                f"steps need one another in a circle: {' -> '.join(circle)}",
                "Each needs what the next one makes. Take one of these inputs from a file or a store instead.",
            )
        order.append(ready[0])
        waiting.remove(ready[0])
    return order


def _circle(needs: Mapping[str, Sequence[str]], waiting: Sequence[str]) -> list[str]:
    path = [waiting[0]]
    while True:
        following = next(name for name in needs[path[-1]] if name in waiting)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)


def needed_by(names: Sequence[str], needs: Mapping[str, Sequence[str]]) -> set[str]:
    """These steps and all that they need, directly or not."""
    result: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in result:
            result.add(name)
            waiting += needs[name]
    return result


def output_problems(outputs: Mapping[str, Mapping[str, Target]], needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Outputs that are in one another's way: two names of one path, a path within another one, and datasets to which
    two steps add versions that do not come one after the other."""
    problems: list[str] = []
    datasets: dict[str, list[str]] = {}
    for step, targets in outputs.items():
        paths = {name: PurePosixPath(target) for name, target in targets.items() if isinstance(target, str)}
        for name, path in paths.items():
            for other, beside in paths.items():
                if name < other and (path == beside or path in beside.parents or beside in path.parents):
                    problems.append(
                        f"steps.{step}: the outputs {name} and {other} are one path, or one within the other"
                    )
        for target in targets.values():
            if isinstance(target, StoreOutput):
                datasets.setdefault(target.store, []).append(step)
    for address, steps in datasets.items():
        for first, second in itertools.pairwise(steps):
            if first not in needed_by([second], needs) and second not in needed_by([first], needs):
                problems.append(
                    f"steps.{second}: {address} is an output of {first}, too; let one need the other (after: {first}), "
                    "so that versions follow one another"
                )
    return problems
