"""The command line. Each command lives in a file of its own that is imported only when it is called."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import click

from edgerig import __version__
from edgerig.bounded import bounded
from edgerig.cli.log_options import add_log_options, apply_log_options, log_failure
from edgerig.cli.signals import end_at_once, stop_on_termination
from edgerig.errors import EdgerigError, Interrupted, StorageError, UsageError
from edgerig.text import harmless, one_line

#: What the system says of a path that is not edgerig's fault: too long, or not for this user.
_REFUSED_PATHS = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EROFS)
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


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"edgerig.cli.{COMMANDS[cmd_name][0]}_command")
        command: click.Command = module.command
        return add_log_options(command)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BaseException as error:
            log_failure(error)
            raise

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from edgerig.errors import UnknownNameError

            raise UnknownNameError("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
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
                code = cli.main(args=arguments, prog_name="edgerig", standalone_mode=False)
            sys.stdout.flush()
        finally:
            if own:
                end_at_once()
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.ClickException as error:
        message = io.StringIO()
        error.show(message)
        click.echo(harmless(message.getvalue()), err=True, nl=False)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = _fail(Interrupted("Stopped."), arguments)
        if own:
            _leave_jax(code)
    except EdgerigError as error:
        code = _fail(error, arguments)
        if isinstance(error, Interrupted) and own:
            _leave_jax(code)
    except UnicodeEncodeError as error:
        code = _fail(_no_text(error), arguments) if "surrogates" in error.reason else _bug(error, arguments)
    except BrokenPipeError:
        # The reader of standard output has ended, as in `edgerig list datasets | head -1`.
        _drop_output()
        code = 141
    except OSError as error:
        # Errors of files carry a file name or are a StorageError: this one comes from standard output.
        if error.errno in _REFUSED_PATHS and error.filename is not None:
            reason = f"Cannot use {one_line(os.fsdecode(error.filename))}: {error.strerror}."
            code = _fail(StorageError(reason, "Give another path, or make this one accessible."), arguments)
        elif error.errno == errno.ENOENT and _no_folder():
            reason = "The current folder does not exist any more."
            code = _fail(UsageError(reason, 'Change to another one, or to the one of its name: cd "$PWD".'), arguments)
        elif error.errno != errno.ENOSPC or error.filename is not None:
            code = _bug(error, arguments)
        else:
            _drop_output()
            code = _fail(StorageError("Could not write to standard output: the disk is full."), arguments)
    except Exception as error:
        code = _bug(error, arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _no_folder() -> bool:
    """Whether the current folder was removed."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _no_text(error: UnicodeEncodeError) -> UsageError:
    """The error for a name of a file that Python can open, and nobody can write down."""
    name = one_line(error.object[max(0, error.start - 60) : error.end + 60])
    return UsageError(
        f"The name of a file holds bytes that are no text in this system's encoding: {name}.",
        "Rename it; or set an encoding that it is in: LC_ALL=C.UTF-8.",
    )


def _drop_output() -> None:
    """Discard further output, including what the interpreter flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave_jax(code: int) -> None:
    """Exit at once if JAX may still be computing: its threads would crash the interpreter during a normal exit."""
    if "jax" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _fail(error: EdgerigError, arguments: list[str]) -> int:
    if "--debug" in arguments:
        import traceback

        traceback.print_exc()
    click.echo(f"{click.style('error:', fg='red', bold=True)} {harmless(error.message)}", err=True)
    if error.hint:
        click.echo(f"       {harmless(error.hint)}", err=True)
    return error.exit_code


def _bug(error: Exception, arguments: list[str]) -> int:
    import tempfile
    import traceback

    if "--debug" in arguments:
        traceback.print_exc()
        return 70
    with tempfile.NamedTemporaryFile("w", prefix="edgerig-", suffix=".log", delete=False) as file:
        file.write(harmless(f"edgerig {__version__}\n{arguments}\n{traceback.format_exc()}"))
    click.echo(f"error: this is a fault of edgerig: {type(error).__name__}: {one_line(error)}", err=True)
    click.echo(f"       The details are in {file.name}; please report them.", err=True)
    return 70
