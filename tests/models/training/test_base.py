from __future__ import annotations

import pytest

from edgerig.models.keras.base import KerasModel
from edgerig.models.torch.base import TorchModel
from edgerig.models.training.base import TrainedModel
from edgerig.models.training.hooks import TrainingHooks


@pytest.mark.parametrize("framework", [KerasModel, TorchModel])
def test_a_framework_brings_only_what_is_its_own(framework):
    shared = {name for base in (TrainedModel, TrainingHooks) for name in vars(base) if name[0] != "_"} - {"learner"}
    assert {"train", "augment", "augment_masked", "class_weights", "phases"} <= shared
    assert not shared & set(vars(framework))
    assert "learner" in vars(framework)
