"""One network trained several times in a process, without its step being traced anew each time."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from edgerig.models.base import ModelWrapper
from edgerig.models.keras.steps import Evaluator, Trainer

#: What was compiled, by the id of the network's wrapper, while there is one, and by the shapes of its variables.
#: Not by the wrapper: an author's may have an equality of its own, and with that no hash.
_compiled: dict[int, dict[tuple[Any, ...], Any]] = {}


@contextlib.contextmanager
def shared_steps(wrapper: ModelWrapper) -> Iterator[None]:
    """Within the block, Keras networks of equal variables go through the steps compiled in such a block before.

    Tracing and loading a step is nearly all of a brief training. A step is a function of weights and samples alone, so
    that a training gives the same file with it; a network that is traced differently each time would go unnoticed,
    therefore a test of repeatability has to train outside of it. Networks of other frameworks are trained as always.

    Args:
        wrapper: The model that is trained. One that differs in its phases alone may be trained in the block as well,
            after it, as long as each of its phases is one of ``wrapper``'s.
    """
    if id(wrapper) not in _compiled:
        weakref.finalize(wrapper, _compiled.pop, id(wrapper))
    steps = _compiled.setdefault(id(wrapper), {})

    def kept(compile_step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def step_of(self: Any) -> Any:
            groups = (self.model.trainable_variables, self.model.non_trainable_variables)
            shapes = tuple(tuple(tuple(variable.shape) for variable in group) for group in groups)
            key = (type(self), *shapes)
            if key not in steps:
                steps[key] = compile_step(self)
            return steps[key]

        return step_of

    with (
        patch.object(Trainer, "_compile", kept(Trainer._compile)),
        patch.object(Evaluator, "_compile", kept(Evaluator._compile)),
    ):
        yield
