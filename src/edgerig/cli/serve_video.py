"""The options of ``edgerig serve`` about video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from edgerig.cli.option_group import option_group
from edgerig.cli.options import FiniteRange, layout_option, old_option, parse_options
from edgerig.errors import UsageError

if TYPE_CHECKING:
    from edgerig.serve.video.settings import ViewSettings
    from edgerig.serve.video.way import Video

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--video",
        metavar="SOURCE",
        help="Show what the network sees in a video, at / and /video: a file, /dev/video0, rtsp://.., http://.., or "
        "`browser` for the cameras of those who open the page.",
    ),
    click.option(
        "--video-rate",
        type=click.Choice(["own", "max"]),
        default="own",
        show_default=True,
        help="Of a file: play at its own rate and drop what comes too fast, or process every frame.",
    ),
    click.option(
        "--video-end",
        type=click.Choice(["loop", "stop"]),
        help="At the end of a file: begin again, or keep its last picture.  [default: loop; with --record stop]",
    ),
    click.option(
        "--video-fit",
        type=click.Choice(["stretch", "letterbox", "crop", "center"]),
        default="stretch",
        show_default=True,
        help="How frames and pictures of another aspect ratio fit, where the network's description does not say it.",
    ),
    layout_option,
    click.option(
        "--task",
        metavar="NAME",
        help="What the outputs mean: classification, segmentation or detection.  [default: guessed from their shapes]",
    ),
    click.option(
        "--task-option",
        multiple=True,
        metavar="KEY=VALUE",
        help="A setting of the task, such as head=yolo: `edgerig list tasks NAME`; may be repeated.",
    ),
    click.option(
        "--labels",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Names of the classes: a name a line, or a class dictionary in JSON, with colours.",
    ),
    click.option(
        "--box-score",
        metavar="SCORE",
        type=FiniteRange(0, 1),
        default=0.5,
        show_default=True,
        help="Lowest score of a box that is shown.",
    ),
    click.option(
        "--record",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE.mp4",
        help="Write what is shown to a video.",
    ),
    click.option("--keep", metavar="FOLDER", help="Store frames there, with the network's answers, for labelling."),
    click.option(
        "--keep-rule",
        default="every:60s",
        show_default=True,
        metavar="RULES",
        help="Which: uncertain:0.6 (a lower confidence, one a second at most), every:60s; several with commas.",
    ),
    click.option(
        "--keep-max", default="1GB", show_default=True, metavar="SIZE", help="What the folder may take at most."
    ),
    old_option("--keep-form", "--keep-format", since="0.1", ends="0.3", type=click.Choice(["png", "jpeg"])),
    click.option(
        "--keep-format",
        type=click.Choice(["png", "jpeg"]),
        default="png",
        show_default=True,
        help="Lossless, or a fifth of its size.",
    ),
)
#: Those that say how pictures come to the network and what it answers, which the page for single pictures takes, too.
_VIEW = ("video_fit", "layout", "task", "task_option", "labels", "box_score")
#: Their names, by the fields of `VideoSettings`.
_FIELDS = {
    "video": "source",
    "video_rate": "rate",
    "video_end": "end",
    "video_fit": "fitting",
    "layout": "layout",
    "task": "task",
    "labels": "labels",
    "box_score": "threshold",
    "record": "record",
    "keep": "keep",
    "keep_rule": "keep_rules",
    "keep_max": "keep_most",
    "keep_format": "keep_form",
}


def video_options(function: F) -> F:
    """The options, for the decorator of a command that hands them to `video_way`."""
    return option_group(*_OPTIONS)(function)


def video_way(options: dict[str, Any]) -> tuple[Video | None, ViewSettings | None]:
    """What the options describe, which are taken out of ``options``: the way in, None without ``--video``; and how the
    page for single pictures reads them, None where no option says anything of it.

    Raises:
        UsageError: They mean nothing, or belong to a video that is not named.
    """
    fields = {field: options.pop(name) for name, field in _FIELDS.items()}
    task_settings = parse_options(options.pop("task_option"), "--task-option")
    typed = [name for name in (*_FIELDS, "task_option") if _is_typed(name)]
    from edgerig.serve.video.settings import VideoSettings, ViewSettings

    if fields["source"] is None:
        for name in typed:
            if name not in _VIEW:
                raise UsageError(f"{_written(name)} is for a video, and none is named.", "Name it: --video street.mp4.")
        names = ViewSettings.__struct_fields__
        view = ViewSettings(**{key: fields[key] for key in fields if key in names}, task_settings=task_settings)
        return None, view if typed else None
    for name in ("keep_rule", "keep_max", "keep_format"):
        if fields["keep"] is None and name in typed:
            raise UsageError(
                f"{_written(name)} is for stored frames, and no folder is named.", "Name it: --keep frames."
            )
    from edgerig.serve.video.way import Video

    settings = VideoSettings(**fields, task_settings=task_settings)
    return Video(settings), settings


def _is_typed(name: str) -> bool:
    """Whether an option is on the command line, also by an earlier name of it, and not its default."""
    source = click.get_current_context().get_parameter_source(name)
    return source in (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP)


def _written(name: str) -> str:
    return f"--{name.replace('_', '-')}"
