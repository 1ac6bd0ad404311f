"""What chains of compilers make of which format."""

from __future__ import annotations

import pytest

from edgerig.cli.compiler_options import compiler_entries, output_of


@pytest.mark.parametrize(
    ("chain", "format", "expected"),
    [
        ("prune", "keras", "keras"),
        ("prune", "torch", "torch"),
        ("prune+cluster", "torch", "torch"),
        ("prune+int8", "torch", "tflite"),
        ("onnx", "torch", "onnx"),
        ("none", "torch", None),
    ],
)
def test_what_is_made_depends_on_what_is_given(chain: str, format: str, expected: str | None) -> None:
    (entry,) = compiler_entries([chain], [])
    assert output_of(entry, format) == expected


def test_without_compilers_the_file_stays_as_it_is() -> None:
    assert compiler_entries([], []) == [None]
    assert output_of(None, "keras") is None


def test_settings_are_those_of_their_compilers() -> None:
    (entry,) = compiler_entries(["prune+int8"], ["prune.share=0.8"])
    assert entry == [{"use": "prune", "share": 0.8}, {"use": "int8"}]
    assert output_of(entry, "keras") == "tflite"
