"""Where networks run, and on what: the options of the commands that measure."""

from __future__ import annotations

import click

targets_option = click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="ADDRESS",
    help="local, tcp://HOST:PORT, sim:stm32f746 ..; may be repeated.  [default: local]",
)
target_settings = click.option(
    "--target-option",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the target, such as tls=lab/laptop: `edgerig list targets NAME`; may be repeated.",
)
runtimes_option = click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    metavar="NAME",
    help="litert, onnxruntime, tflm, micro ..: `edgerig list runtimes`; may be repeated.  [default: the usual one of "
    "each file and target]",
)
runtime_settings = click.option(
    "--runtime-option",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the runtime, such as provider=CUDAExecutionProvider or delegate=./mine.so: `edgerig list "
    "runtimes NAME`; may be repeated.",
)
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads for the engine."
)
