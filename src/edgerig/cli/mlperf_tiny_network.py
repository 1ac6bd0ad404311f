"""``edgerig mlperf-tiny network``: fetch a trained int8 network."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import ConsoleProgress, echo


@click.command(name="network")
@click.argument("benchmark")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file, or its folder.  [default: BENCHMARK.tflite]",
)
def command(benchmark: str, out: Path | None) -> None:
    """Fetch a trained int8 network of BENCHMARK (kws01, vww01, ic01 or ad01) out of a package on PyPI, through pip.

    They are Silicon Labs', of the reference's architectures: the parameters and MACs are the reference's, the weights
    are not. Those of kws01 and ad01 have inputs of another shape than the samples, and are for times and sizes.
    `edgerig train` trains networks of your own: dscnn, mobilenetv1, resnet8, autoencoder, streaming-dscnn.

    \b
    Example:
      edgerig mlperf-tiny network ic01 --out ic.tflite
    """
    from edgerig import files
    from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named
    from edgerig.errors import UsageError
    from edgerig.models.files import open_artifact
    from edgerig.suites.mlperf_tiny.device.fit import misfit
    from edgerig.suites.mlperf_tiny.networks import network

    path = out if out is not None else Path(f"{benchmark}.tflite")
    path = path / f"{benchmark}.tflite" if path.is_dir() else path
    if path.suffix.lower() != ".tflite":
        raise UsageError(
            f"--out {path}: the network is a TFLite file.", "Give a folder, or a name that ends in .tflite."
        )
    files.write_bytes(path, network(benchmark, ConsoleProgress()))
    echo(f"{path}: {path.stat().st_size:,} B")
    artifact = open_artifact(path)
    reason = misfit(benchmark_named(benchmark), artifact.inputs, artifact.outputs)
    if reason is not None:
        echo(f"For times and sizes alone: it takes no samples of {benchmark}, because {reason}.")
