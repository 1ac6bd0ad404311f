"""A network of digits on one or several targets, asked with pictures."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from edgerig.artifact import Artifact
from edgerig.errors import EdgerigError, IncompatibleError, TargetError
from edgerig.measure.kinds import Measurement, ModelBand, Quantity, Unavailable
from edgerig.serve.drawing import SIDE, Picture
from edgerig.serve.pool import Pool
from edgerig.serve.tensors import NetworkTensors
from edgerig.targets.resolve import runtime_for, target_for

#: Outputs of a network of digits.
DIGITS = 10
#: Real value of an input's largest integer from which it takes pixels of 0 to 255 as they are.
BYTES = 2.0


class DigitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a network says of a picture.

    Attributes:
        outputs: Its ten outputs, dequantized.
        digit: The largest one's.
        network: The time of the inference on the device, in s, or why there is none; of a simulated board it is
            modelled, with the model's band.
        queue: The time that the picture waited for a session, in s.
        target: Where it ran.
    """

    outputs: tuple[float, ...]
    digit: int
    network: Quantity
    queue: Measurement
    target: str


def check_digits(tensors: NetworkTensors, name: str) -> None:
    """Check that a network takes a picture of 28x28 and says ten numbers.

    Raises:
        IncompatibleError: It does not.
    """
    sizes = [int(np.prod(shape)) for shape in tensors.row_shapes]
    outputs = [int(np.prod(spec.shape)) for spec in tensors.outputs]
    if sizes != [SIDE * SIDE] or outputs != [DIGITS * tensors.batch]:
        raise IncompatibleError(
            f"{name} is no network of digits: that has an input of {SIDE * SIDE} numbers and an output of {DIGITS}; "
            f"this has inputs of {sizes} and outputs of {outputs}.",
            "Train one with: edgerig train mnist-cnn --dataset mnist.",
        )


class DigitNetwork:
    """A network on one target.

    Args:
        pool: Opened.

    Raises:
        IncompatibleError: It is no network of digits.
    """

    def __init__(self, pool: Pool) -> None:
        check_digits(pool.tensors, pool.artifact.name)
        self.pool = pool
        spec = pool.tensors.inputs[0]
        quantization = spec.quantization
        self._factor = 1.0 / 255
        if quantization is not None and np.issubdtype(np.dtype(spec.dtype), np.integer):
            largest = (np.iinfo(spec.dtype).max - np.max(quantization.zero_points)) * np.max(quantization.scales)
            self._factor = 1.0 if largest > BYTES else 1.0 / 255

    @property
    def target(self) -> str:
        """Where it runs."""
        return self.pool.target.address

    async def ask(self, picture: Picture) -> DigitAnswer:
        """What the network says of ``picture``, shape (28, 28), 255 for ink.

        Raises:
            EdgerigError: As `Pool.infer`.
        """
        tensors = self.pool.tensors
        real = (picture.astype(np.float32) * np.float32(self._factor)).reshape(1, *tensors.row_shapes[0])
        answer = await self.pool.infer({tensors.inputs[0].name: real})
        outputs = next(iter(answer.outputs.values())).ravel()
        if not np.isfinite(outputs).all():
            raise TargetError(f"The network answered numbers that are not finite: {outputs.tolist()}.")
        return DigitAnswer(
            outputs=tuple(outputs.tolist()),
            digit=int(np.argmax(outputs)),
            network=network_time(answer.network_ns, self.pool),
            queue=Measurement(
                value=answer.queue_ns / 1e9, unit="s", kind="measured", method="from entry until a session took it"
            ),
            target=self.target,
        )


def network_time(nanoseconds: int, pool: Pool) -> Quantity:
    """The time of an inference with its kind, and the band of the model that it comes from, if it does."""
    model = pool.time_model
    if isinstance(model, Unavailable):
        return model
    time = Measurement(value=nanoseconds / 1e9, unit="s", kind="measured", method="one inference on the device")
    return model.of(time) if isinstance(model, ModelBand) else time


def open_pool(artifact: Artifact, address: str, runtime: str | None = None) -> Pool:
    """One session of a network on the target ``address``, opened.

    Raises:
        EdgerigError: The target is not there, or does not run the network.
    """
    target = target_for(address, {})
    pool = Pool(artifact, target, runtime or runtime_for(artifact, address))
    try:
        pool.open()
    except BaseException:
        target.close()
        raise
    return pool


def open_networks(artifact: Artifact, addresses: Sequence[str]) -> list[DigitNetwork]:
    """A network on each of several targets; all are closed again if one cannot be had.

    Raises:
        EdgerigError: As `open_pool`. IncompatibleError: It is no network of digits.
    """
    networks: list[DigitNetwork] = []
    try:
        for address in addresses:
            pool = open_pool(artifact, address)
            try:
                networks.append(DigitNetwork(pool))
            except EdgerigError:
                pool.close()
                raise
    except BaseException:
        for network in networks:
            network.pool.close()
        raise
    return networks
