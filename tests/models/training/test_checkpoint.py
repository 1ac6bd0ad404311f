from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edgerig.errors import IncompatibleError, ModelError, StorageError
from edgerig.models.training.checkpoint import Checkpoint, EpochRecord, Identity, check_identity, load, save

IDENTITY = Identity(
    model="net",
    model_settings={"alpha": 0.5},
    train_settings={"batch_size": 64, "seed": 1},
    dataset="digits",
    classes=("a", "b"),
    train_fingerprint="a" * 64,
    validation_fingerprint="b" * 64,
    preprocessing="c" * 16,
)
RECORD = EpochRecord(epoch=1, loss=0.5, accuracy=0.75, val_loss=0.6, val_accuracy=0.7, learning_rate=0.001, seconds=2.0)


@pytest.fixture
def checkpoint():
    rng = np.random.default_rng(0)
    return Checkpoint(
        identity=IDENTITY,
        history=(RECORD,),
        model=[rng.normal(size=(3, 4)).astype(np.float32), np.array([1, 2], np.uint32)],
        optimizer=[np.array(7, np.int32), np.array(0.001, np.float32)],
    )


def test_what_is_loaded_is_what_was_saved(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "c.npz")
    loaded = load(tmp_path / "c.npz")
    assert (loaded.identity, loaded.history) == (checkpoint.identity, checkpoint.history)
    for mine, theirs in zip(loaded.model + loaded.optimizer, checkpoint.model + checkpoint.optimizer, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


def test_truncation_at_any_length_is_a_model_error(checkpoint, tmp_path):
    path = tmp_path / "c.npz"
    save(checkpoint, path)
    data = path.read_bytes()
    for length in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ModelError, match=r"damaged|Cannot read") as caught:
            load(path)
        assert "--resume" in caught.value.hint


def test_flipped_bits_in_the_weights_are_a_model_error(checkpoint, tmp_path):
    path = tmp_path / "c.npz"
    save(checkpoint, path)
    data = bytearray(path.read_bytes())
    where = data.index(checkpoint.model[0].tobytes())
    data[where + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="damaged"):
        load(path)


def test_a_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "c.npz"
    np.savez(path, header=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ModelError, match="damaged"):
        load(path)


def test_a_missing_checkpoint_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="Cannot read the checkpoint"):
        load(tmp_path / "none.npz")


def test_writing_where_a_file_stands_for_the_folder_is_a_storage_error(checkpoint, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError):
        save(checkpoint, tmp_path / "out" / "c.npz")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"train_settings": {"batch_size": 32, "seed": 1}}, "batch_size was 64, is 32"),
        ({"model_settings": {"alpha": 1.0}}, "model setting alpha was 0.5, is 1.0"),
        ({"train_fingerprint": "d" * 64}, "train fingerprint was aaaaaaaaaaaa, is dddddddddddd"),
        ({"dataset": "letters"}, "dataset was digits, is letters"),
        ({"classes": ("a", "c")}, r"classes was \[a, b\], is \[a, c\]"),
    ],
)
def test_another_training_is_refused_with_what_differs(change, said, tmp_path):
    with pytest.raises(IncompatibleError, match=said) as caught:
        check_identity(IDENTITY, msgspec.structs.replace(IDENTITY, **change), tmp_path)
    assert str(caught.value.message).count(" was ") == 1


def test_the_same_training_is_accepted(tmp_path):
    check_identity(IDENTITY, msgspec.structs.replace(IDENTITY), tmp_path)
