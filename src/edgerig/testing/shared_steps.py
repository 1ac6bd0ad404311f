"""One network trained several times in a process, without its step being traced anew each time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from edgerig.models.base import ModelWrapper
from edgerig.models.keras.steps import Evaluator, Trainer

#: What was compiled, by the network's wrapper and by the shapes of its variables.
_compiled: WeakKeyDictionary[ModelWrapper, dict[tuple[Any, ...], Any]] = WeakKeyDictionary()


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
    steps = _compiled.setdefault(wrapper, {})

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
