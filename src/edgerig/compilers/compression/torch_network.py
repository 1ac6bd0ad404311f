"""A program of torch.export as the compressors see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from edgerig.artifact import Artifact
from edgerig.compilers.compression.fine_tuning import NO_TUNING
from edgerig.compilers.compression.network import Costs, Held, Kernels, Learner, Network
from edgerig.compilers.compression.torch_graph import kernel_names, unlifted
from edgerig.datasets.base import Dataset
from edgerig.datasets.network_inputs import inputs_of
from edgerig.errors import IncompatibleError
from edgerig.models.base import Objective
from edgerig.models.torch.archive import Archive
from edgerig.models.torch.engine import import_torch, quiet
from edgerig.models.torch.files import load_program, save_program
from edgerig.models.training.batches import Feed


class TorchNetwork(Network):
    """What torch.export wrote of a module: its graph of ATen operators and its weights."""

    learns_logits: ClassVar[bool] = True

    def __init__(self, program: Any) -> None:
        self.program = program

    @classmethod
    def load(cls, path: Path, name: str) -> Self:
        torch = import_torch()
        program = load_program(path)
        strange = [key for key, value in program.named_parameters() if value.dtype != torch.float32]
        if strange:
            kind = str(program.state_dict[strange[0]].dtype).removeprefix("torch.")
            raise IncompatibleError(
                f"{strange[0]} of {name} is {kind}; only weights of float32 can be changed.",
                "Export the network in float32, and quantize it afterwards.",
            )
        return cls(program)

    @classmethod
    def costs_of(cls, path: Path) -> Costs:
        from torch.utils.flop_counter import FlopCounterMode

        torch = import_torch()
        program = load_program(path)
        # Counts two operations for each multiply-accumulate of convolutions and matrix products, and no others.
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            unlifted(program)(*samples_of(path))
        return Costs(counter.get_total_flops() // 2, sum(value.numel() for value in program.parameters()))

    def kernels(self) -> Kernels:
        state = self.program.state_dict
        return {name: state[name].detach().numpy().copy() for name in kernel_names(unlifted(self.program))}

    def put(self, kernels: Kernels) -> None:
        torch = import_torch()
        with torch.no_grad():
            for name, array in kernels.items():
                self.program.state_dict[name].copy_(torch.from_numpy(np.ascontiguousarray(array)))

    def without_channels(self, share: float) -> tuple[Network, dict[str, tuple[int, int]], dict[str, str]]:
        from edgerig.compilers.compression.torch_smaller import pruned

        smaller, widths, obstacles = pruned(self.program, share)
        return TorchNetwork(smaller), widths, obstacles

    def learner(
        self, artifact: Artifact, dataset: Dataset, feed: Feed, objective: Objective, held: Held, seed: int
    ) -> Learner:
        from edgerig.compilers.compression.torch_learner import ProgramLearner

        inputs = inputs_of(artifact)
        if len(artifact.inputs) != 1 or len(artifact.outputs) != 1:
            raise IncompatibleError("Only a network of one input and one output can be fine-tuned.", NO_TUNING)
        if inputs.batch != 1:
            raise IncompatibleError(
                f"The network's batch is fixed to {inputs.batch}, with which it cannot be fine-tuned.", NO_TUNING
            )
        return ProgramLearner(self.program, inputs, dataset.name, feed, objective, held, seed)

    def save(self, path: Path) -> None:
        with quiet():
            save_program(self.program, path)


def samples_of(path: Path) -> tuple[Any, ...]:
    """Zeros for the inputs of the program in a file."""
    torch = import_torch()
    inputs = Archive(path.read_bytes(), path.name).specification().inputs
    return tuple(torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in inputs)
