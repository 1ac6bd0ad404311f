"""Sounds of toy cars out of ToyADMOS (Koizumi et al., 2019), as spectra that the reference would compute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgerig.datasets.mlperf_tiny.building.parts import Candidate, Candidates, in_turn
from edgerig.datasets.mlperf_tiny.features import machine_features
from edgerig.datasets.mlperf_tiny.recordings import read_wav
from edgerig.errors import DatasetError

#: Spectra that the reference takes out of the middle of a recording.
SPECTRA = 200
#: Share of the training recordings to validate with.
VALIDATION = 0.1
_NAME = re.compile(r"(normal|anomaly)_id_\d+_\d+")


def machines(source: Path, training: bool) -> Candidates:
    """The recordings of ``ToyCar`` in the form of DCASE 2020's task 2: folders ``test`` and ``train``, whose wav files
    are named ``normal_id_01_00000000.wav`` or ``anomaly_id_01_00000000.wav``.

    Raises:
        DatasetError: There are no such files.
    """
    folder = source / "ToyCar" if (source / "ToyCar").is_dir() else source
    parts: Candidates = {"test": _recordings(folder / "test")}
    if training:
        everything = _recordings(folder / "train")
        validation, train = in_turn([entry.label for entry in everything], [VALIDATION])
        parts["train"] = [everything[index] for index in train]
        parts["validation"] = [everything[index] for index in validation]
    return parts


def _recordings(folder: Path) -> list[Candidate]:
    paths = sorted(folder.glob("*.wav"))
    if not paths:
        raise DatasetError(
            f"There are no wav files in {folder}.",
            "Give the folder ToyCar of the development data of DCASE 2020's task 2, or the one that holds it.",
        )
    candidates = []
    for path in paths:
        match = _NAME.match(path.stem)
        if match is None:
            raise DatasetError(
                f"{path}: the name does not say whether it is normal.", "Names are normal_id_01_00000000.wav and so on."
            )
        candidates.append(_recording(path, int(match[1] == "anomaly")))
    return candidates


def _recording(path: Path, label: int) -> Candidate:
    def values() -> NDArray[Any]:
        spectra = machine_features(read_wav(path) / 32768)
        if len(spectra) < SPECTRA:
            raise DatasetError(f"{path} is too short: {len(spectra)} of {SPECTRA} spectra.", "They last 8 s or more.")
        return spectra.astype("<f4").reshape(-1)

    return Candidate(f"{path.stem}_hist_librosa.bin", label, values)
