"""Figures that others state of a network, against its file."""

from __future__ import annotations

import re

import pytest

from edgerig.models.architectures.dscnn import DsCnn
from edgerig.models.graph.analysis import Analysis, analyse
from edgerig.models.graph.expectations import mismatch
from edgerig.models.graph.read import read_graph
from edgerig.models.keras.files import save_keras

#: Of the float network: one each for the 72,000 values that its nine batch normalisations scale, too.
FLOAT = 2_656_768 + 72_000


@pytest.fixture(scope="module")
def keywords(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    path = tmp_path_factory.mktemp("figures") / "kws.keras"
    save_keras(DsCnn().build(12), path)
    return analyse(read_graph(path))


def test_what_is_so_is_no_mismatch(keywords: Analysis) -> None:
    assert mismatch("macs", FLOAT, keywords) is None
    assert mismatch("parameters", 24_908, keywords) is None


def test_a_number_that_was_published_and_is_wrong(keywords: Analysis) -> None:
    assert mismatch("macs", 1_664_768, keywords) == "1,664,768 MACs are stated, and the network has 2,728,768."


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        (2 * FLOAT, "counted apart, as FLOPs are"),
        (2_656_768, "it leaves out BatchNormalization, which is folded"),
        # 4 depthwise layers of 25 x 5 x 64 x 9, the first layer of 25 x 5 x 64 x 40, a dense one of 64 x 12.
        (FLOAT - 288_000, "leaves out DepthwiseConv2D"),
        (FLOAT - 768, "leaves out Dense"),
        (FLOAT - 288_768, "leaves out DepthwiseConv2D and Dense"),
        (FLOAT - 320_000, r"leaves out operator 0 \(Conv2D\)"),
    ],
)
def test_what_was_left_out_is_named(keywords: Analysis, stated: int, reason: str) -> None:
    sentence = mismatch("macs", stated, keywords)
    assert sentence is not None
    assert re.search(reason, sentence), sentence
