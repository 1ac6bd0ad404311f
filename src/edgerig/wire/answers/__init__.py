"""What a device answers, checked where it comes in, and trusted afterwards.

A device may be broken, of another version, or hostile. Values that a measurement depends on, such as shapes, counts and
times, raise an `AnswerError` if they are impossible. Of side information, such as a temperature, only the impossible
figure is dropped. Control characters are removed from texts (`edgerig.text`).

`plausible` has the limits; the other modules have the checks, by what the answer is about.
"""

from edgerig.wire.answers.content import checked_log, decoded, tensors
from edgerig.wire.answers.device import checked_hello, checked_machine, checked_statistics
from edgerig.wire.answers.figures import checked_layers, checked_quantities
from edgerig.wire.answers.network import check_against_file, checked_loaded, completed
from edgerig.wire.answers.times import check_load, check_times, check_total

__all__ = [
    "check_against_file",
    "check_load",
    "check_times",
    "check_total",
    "checked_hello",
    "checked_layers",
    "checked_loaded",
    "checked_log",
    "checked_machine",
    "checked_quantities",
    "checked_statistics",
    "completed",
    "decoded",
    "tensors",
]
