"""The command line. Each command lives in a file of its own that is imported only when it is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from edgerig import __version__
from edgerig.bounded import bounded
from edgerig.cli.failures import colour, exit_code, told_by_us
from edgerig.cli.lazy_group import LazyCommands
from edgerig.cli.log_options import add_log_options, apply_log_options, log_failure
from edgerig.cli.signals import end_at_once, stop_on_termination
from edgerig.errors import Interrupted

#: Command name -> module of this package, one line for --help. Kept here so that --help imports none of them. In the
#: order of the work: data, networks, measuring, comparing, what is shared, devices, serving, the installation.
COMMANDS = {
    "data": ("data", "Share datasets, in versions: capture, import, compare, fetch, check, export."),
    "label": ("label", "Label the pictures of a dataset on a page, several people at once, prefilled by a network."),
    "train": ("train", "Train a model on a dataset."),
    "compile": ("compile", "Quantize, convert or lower a model file."),
    "inspect": ("inspect", "Show a model's operators, shapes, MACs and memory."),
    "grid": ("grid", "Try which conversions by ONNX can be trusted: exporters x networks x importers."),
    "run": ("run", "Run a rig file: train, compile, deploy, measure, report."),
    "bench": ("bench", "Measure one model file on one target, without a rig file."),
    "test": ("test", "Run a dataset through a model on a device, and record it in a history."),
    "layers": ("layers", "Show what each layer takes, in several variants side by side."),
    "compare": ("compare", "Tell whether B is slower, larger or worse than A: in pairs of fresh processes."),
    "gate": ("gate", "Measure a rig and fail if it has become worse than a baseline."),
    "history": ("history", "List what many runs and recorded tests say over time, and name baselines."),
    "report": ("report", "Render bundles and recorded tests as HTML, Markdown, reStructuredText, CSV or JSON."),
    "workflow": ("workflow", "Run steps from data to a device, once for equal inputs; or export them to an engine."),
    "push": ("push", "Put a run, a model or a folder into a store that others use as well."),
    "pull": ("pull", "Fetch a run, a model or a folder out of a store."),
    "agent": ("agent", "Serve this machine as a device under test."),
    "firmware": ("firmware", "Build, flash, measure and talk to the firmware of a board."),
    "serve": ("serve", "Let others ask a network, over HTTP, gRPC or a page; show its answers over live video."),
    "digits": ("digits", "Draw digits, and recognise them in FlatBuffers: serve them, ask a server or a board."),
    "stress": ("stress", "Load a server with requests, and tell throughput, latencies and failures."),
    "mlperf-tiny": ("mlperf_tiny", "Run the benchmarks of MLPerf Tiny, or be a device for them."),
    "engines": ("engines", "List, install, check and remove engines in environments of their own."),
    "list": ("list", "List tasks, datasets, models, formats, compilers, runtimes or targets."),
    "schema": ("schema", "Print the JSON Schema of rig or workflow files."),
    "doctor": ("doctor", "Tell what is installed, what is missing, and if this machine is fit to measure."),
}

EXAMPLES = """
\b
Examples:
  edgerig run examples/mnist/rig.yaml --out runs/demo
  edgerig bench net.tflite --dataset mnist --samples 500
  edgerig agent --listen 127.0.0.1:7433
"""


class Edgerig(LazyCommands):
    """The command ``edgerig``. What one of its commands raises is logged, where a log is kept."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with told_by_us():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with told_by_us():
                return super().invoke(ctx)
        except BaseException as error:
            log_failure(error)
            raise


@click.group(
    cls=Edgerig,
    table={name: (f"{module}_command", "command", line) for name, (module, line) in COMMANDS.items()},
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="edgerig")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Test neural networks on edge devices: quality, latency, memory, layer by layer, in one report."""
    ctx.obj = {"debug": debug}
    apply_log_options(ctx)


add_log_options(cli)


def main(args: list[str] | None = None) -> None:
    """Entry point of ``edgerig``: errors become one message and an exit code, never a traceback.

    Without ``args`` the process is the command's own, and may be ended at once.
    """
    arguments = sys.argv[1:] if args is None else args
    # If a stream is closed (`>&-`), Python sets it to None.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    own = args is None
    if own:
        stop_on_termination()
    try:
        try:
            with bounded():
                code = cli.main(args=arguments, prog_name="edgerig", standalone_mode=False, color=colour())
            sys.stdout.flush()
        finally:
            if own:
                end_at_once()
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except (Exception, KeyboardInterrupt) as error:
        code = exit_code(error, arguments)
        if own and isinstance(error, KeyboardInterrupt | click.Abort | Interrupted):
            _leave_jax(code)
    sys.exit(code if isinstance(code, int) else 0)


def _leave_jax(code: int) -> None:
    """Exit at once if JAX may still be computing: its threads would crash the interpreter during a normal exit."""
    if "jax" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
