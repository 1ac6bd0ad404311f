from __future__ import annotations

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.models.training import batches as feeds
from edgerig.models.training.batches import Feed

PLAIN = Preprocessing()


def unchanged(batch, rng):
    return batch


@pytest.fixture
def samples(patterns):
    return patterns.split("train").take(np.arange(10))


def labels_of(batches):
    return [labels.tolist() for _, labels in batches]


def test_an_epoch_holds_every_sample_and_fills_the_last_batch_with_the_first_ones(samples):
    samples.labels = np.arange(10)
    batches = labels_of(Feed(samples, PLAIN, 4).shuffled(1, 0, unchanged))
    assert [len(batch) for batch in batches] == [4, 4, 4]
    flat = [label for batch in batches for label in batch]
    assert sorted(flat[:10]) == list(range(10))
    assert flat[10:] == flat[:2]


def test_inputs_and_labels_stay_together_when_shuffled(samples):
    samples.labels = np.arange(10)
    for inputs, labels in Feed(samples, PLAIN, 3).shuffled(1, 0, unchanged):
        np.testing.assert_array_equal(inputs, samples.pixels[labels].astype(np.float32))


def test_order_depends_on_seed_and_epoch_only(samples):
    samples.labels = np.arange(10)

    def order(seed, epoch):
        return labels_of(Feed(samples, PLAIN, 4).shuffled(seed, epoch, unchanged))

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4)
    assert order(1, 3) != order(2, 3)


def test_in_order_pads_inputs_but_not_labels(samples):
    batches = list(Feed(samples, PLAIN, 4).in_order())
    assert [len(inputs) for inputs, _ in batches] == [4, 4, 4]
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in batches]), samples.labels)


def test_fewer_samples_than_a_batch_make_one_batch(samples):
    feed = Feed(samples, PLAIN, 64)
    assert (feed.batch_size, feed.steps) == (10, 1)


def test_small_splits_are_preprocessed_once_and_large_ones_batch_by_batch(samples, monkeypatch):
    kept = Feed(samples, PLAIN, 5)
    for epoch in range(3):
        list(kept.shuffled(1, epoch, unchanged))
    assert samples.reads == 2  # one for the shape, one for all
    monkeypatch.setattr(feeds, "KEEP_BYTES", 10)
    large = Feed(samples, PLAIN, 5)
    expected = [inputs for inputs, _ in kept.shuffled(1, 0, unchanged)]
    samples.reads = 0
    actual = [inputs for inputs, _ in large.shuffled(1, 0, unchanged)]
    assert samples.reads == 2
    np.testing.assert_array_equal(actual, expected)
