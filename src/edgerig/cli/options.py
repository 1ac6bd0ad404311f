"""Options that several commands have; ``key=value`` options are read as YAML would read them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgerig.deprecation import declare, say
from edgerig.errors import UsageError

if TYPE_CHECKING:
    from edgerig.artifact import TensorSpec
    from edgerig.datasets.base import Dataset


class FiniteRange(click.FloatRange):
    """A number within a range; refuses NaN, which passes every comparison, and infinity, with which nothing ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number

    def _describe_range(self) -> str:
        # Click would call a range without ends "x<=None".
        return "" if self.min is None and self.max is None else super()._describe_range()


F = TypeVar("F", bound=Callable[..., Any])

layout_option = click.option(
    "--layout",
    type=click.Choice(["nchw", "nhwc"]),
    help="Order of an image's axes in the input: nchw is channels first, as PyTorch has it.  [default: by the shape]",
)
custom_option = click.option(
    "--custom",
    metavar="MODULE",
    help="Of Keras files: the module that defines layers that Keras does not have; also one in the current folder.",
)
_dataset_setting = click.option(
    "--dataset-option", multiple=True, metavar="KEY=VALUE", help="A setting of the dataset."
)
_dataset_root = click.option(
    "--dataset-root", type=click.Path(path_type=Path), help="Folder of the dataset's files, where it has one."
)
shape_option = click.option(
    "--shape",
    multiple=True,
    metavar="[INPUT=]N,N,..",
    help="Shape of an input, batch included, of an ONNX file that leaves axes free; may be repeated.",
)


def old_option(
    name: str, option: str, *, since: str, ends: str, parameter: str | None = None, **attributes: Any
) -> Callable[[F], F]:
    """Decorate a command with an option of earlier versions: it is not shown, warns, and sets the one of today.

    Args:
        name: Such as ``--packet-size``.
        option: The option that took its place, such as ``--message-size``; where both are given, that one counts.
        since: The version that deprecated it.
        ends: The first version that does not know it.
        parameter: The name of that option's parameter, where it does not follow from the option.
        attributes: As of `click.option`; ``is_flag`` and ``multiple`` must be those of the option of today.
    """
    entry = declare(f"The option {name}", since=since, ends=ends, instead=option)
    key = parameter or option.lstrip("-").replace("-", "_")

    def take(context: click.Context, _: click.Parameter, value: Any) -> None:
        if context.resilient_parsing or value in (None, False, ()):
            return
        say(entry)
        context.default_map = {**(context.default_map or {}), key: value}

    return click.option(
        name, expose_value=False, is_eager=True, hidden=True, callback=take, **{"help": f"Use {option}.", **attributes}
    )


def model_format_option(command: F) -> F:
    """Decorate a command with ``--model-format``, its value in the parameter ``model_format``."""
    today = click.option(
        "--model-format",
        metavar="NAME",
        help="The plugin that reads MODEL, as package.module:Class, where it is not installed; also of a module in the "
        "current folder.",
    )
    return old_option("--format", "--model-format", since="0.1", ends="0.3")(today(command))


def _rounds(context: click.Context, option: click.Parameter, text: str | None) -> int | str | None:
    """A number of rounds, or ``auto``."""
    if text is None or text == "auto":
        return text
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise click.BadParameter(f"{text!r} is neither a number of 1 or more nor 'auto'.", context, option)
    return int(text)


rounds_option = click.option(
    "--rounds",
    callback=_rounds,
    metavar="N|auto",
    help="Fresh processes that measure each cell, in turns; intervals are made between them. auto: as many as it "
    "takes.  [default: 5]",
)


def find_here(*names: str) -> None:
    """Let each of ``names`` that is a ``package.module:Class`` be found in the working folder, after what is installed.

    Raises:
        SpecError: Another module of that name is loaded already.
    """
    from edgerig.plugin_names import import_beside

    for name in names:
        if ":" in name and "/" not in name:
            import_beside(name, Path.cwd())


def custom_layers(module: str | None) -> dict[str, str]:
    """The setting of Keras files that ``--custom`` gives; its module is found in the working folder, too.

    Raises:
        SpecError: There is no such module, or another one of that name is loaded already.
    """
    from edgerig.errors import SpecError
    from edgerig.plugin_names import import_beside
    from edgerig.plugins import is_there

    if module is None:
        return {}
    if not import_beside(module, Path.cwd()) and not is_there(module):
        raise SpecError(
            f"--custom: there is no module {module!r} here or on Python's path.",
            "Give its name: --custom layers for a layers.py in the current folder.",
        )
    return {"custom": module}


def load_format(reference: str | None) -> None:
    """Load the format that ``--model-format`` names, so that its files are known by their suffix from now on.

    Raises:
        UnknownNameError, SpecError: There is none, or it cannot be imported.
    """
    if reference is not None:
        from edgerig.formats import load

        load(reference, Path.cwd())


def load_plugins(noun: str, names: Sequence[str]) -> None:
    """Import those of ``names`` that are a ``package.module:Class``: their modules may bring a format of files.

    Raises:
        SpecError: One cannot be imported.
    """
    from edgerig.plugins import Plugin, find

    for name in names:
        if ":" in name:
            find(noun, name, Plugin)


dataset_option = click.option(
    "--dataset",
    default="random",
    show_default=True,
    metavar="NAME",
    help="What to run; `edgerig list datasets` names them.",
)


def dataset_settings(function: F) -> F:
    """The options ``--dataset-option`` and ``--dataset-root``; `parse_dataset_settings` reads them."""
    return _dataset_setting(_dataset_root(function))


def parse_dataset_settings(assignments: Sequence[str], root: Path | None) -> dict[str, Any]:
    """The settings of a dataset, from `dataset_settings`.

    Raises:
        UsageError: An assignment has no ``=``.
    """
    settings = parse_options(assignments, "--dataset-option")
    return settings if root is None else {**settings, "root": str(root)}


def make_dataset(
    name: str,
    assignments: Sequence[str],
    root: Path | None,
    task: str | None,
    settings: dict[str, Any] | None = None,
) -> Dataset:
    """The dataset of ``--dataset``, with the settings of ``--dataset-option`` and ``--dataset-root``, for ``--task``.

    Args:
        settings: Those that no option names.

    Raises:
        UsageError: There is no such dataset, setting or task.
    """
    from edgerig import plugins
    from edgerig.datasets.base import Dataset
    from edgerig.tasks.base import Task

    data = plugins.make("dataset", name, Dataset, (settings or {}) | parse_dataset_settings(assignments, root))
    if task is not None:
        data.task = plugins.find("task", task, Task).name
    return data


def parse_options(assignments: Sequence[str], option: str) -> dict[str, Any]:
    """Plain values of ``key=value`` texts.

    Raises:
        UsageError: One has no ``=``.
    """
    from edgerig.rig.document import parse_scalar

    result: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {assignment!r}: write it as key=value.")
        result[key.replace("-", "_")] = parse_scalar(text)
    return result


def parse_states(assignments: Sequence[str]) -> dict[str, str]:
    """The output that each input takes of the inference before, out of texts like ``h_in=h_out``.

    Raises:
        UsageError: One has no ``=``, or an input has two.
    """
    states: dict[str, str] = {}
    for assignment in assignments:
        name, equals, output = (text.strip() for text in assignment.partition("="))
        if not equals or not name or not output or name in states:
            raise UsageError(f"--state {assignment!r}: write it as INPUT=OUTPUT, once for each input.")
        states[name] = output
    return states


def parse_ranges(assignments: Sequence[str], models: Sequence[Sequence[TensorSpec]]) -> dict[str, tuple[float, float]]:
    """Ranges by input, out of texts like ``ids=0,29999``; the name may be left out where a network has one input.

    Args:
        assignments: The texts. models: the inputs of each network.

    Raises:
        UsageError: One is no range, or does not say of which input.
    """
    result: dict[str, tuple[float, float]] = {}
    for text in assignments:
        name, _, numbers = text.rpartition("=")
        try:
            low, high = (float(number) for number in numbers.split(","))
        except ValueError as error:
            raise UsageError(f"--range {text!r}: write it as NAME=LOW,HIGH, such as ids=0,29999.") from error
        for each in _inputs_meant(name, numbers, "--range", text, models):
            result[each] = low, high
    return result


def _inputs_meant(name: str, value: str, option: str, text: str, models: Sequence[Sequence[TensorSpec]]) -> set[str]:
    """The inputs that an assignment is for: the named one, or the only one of each network."""
    if name:
        return {name}
    if any(len(inputs) != 1 for inputs in models):
        raise UsageError(f"{option} {text!r}: say of which input: NAME={value}.")
    return {inputs[0].name for inputs in models}


def parse_shapes(assignments: Sequence[str], models: Sequence[Sequence[TensorSpec]]) -> dict[str, list[int]]:
    """Shapes by input, out of texts like ``x=1,3,32,32``; the name may be left out where a network has one input.

    Args:
        assignments: The texts. models: the inputs of each network.

    Raises:
        UsageError: One is no shape, or does not say of which input.
    """
    result: dict[str, list[int]] = {}
    for text in assignments:
        name, _, sizes = text.rpartition("=")
        numbers = [size.strip() for size in sizes.replace("x", ",").split(",")]
        if not all(size.isascii() and size.isdigit() and int(size) > 0 for size in numbers):
            raise UsageError(
                f"--shape {text!r}: write it as NAME=1,3,224,224, with a number of 1 or more for each axis."
            )
        result |= {each: list(map(int, numbers)) for each in _inputs_meant(name, sizes, "--shape", text, models)}
    return result
