"""Size of the base install and of everything, each in a fresh environment, next to its largest packages.

    python benchmarks/install_size.py [--json] [--base-only]

Sizes are those of the files in ``site-packages`` without pip itself; installing everything takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL_BYTES = 250_000_000
ROOT = Path(__file__).parent.parent


def install(extra: str) -> dict[str, object]:
    """Install edgerig with ``extra`` into a fresh environment; bytes in all and by package folder, and seconds."""
    with tempfile.TemporaryDirectory(prefix="edgerig-size-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        # Old resolvers take many minutes over the extras.
        subprocess.run([*pip, "--upgrade", "pip>=25"], check=True)
        packages = next(Path(folder).glob("lib/python*/site-packages"))
        before = size(packages)
        start = time.monotonic()
        subprocess.run([*pip, f"{ROOT}{extra}"], check=True)
        seconds = time.monotonic() - start
        folders = {path.name: size(path) for path in packages.iterdir() if path.is_dir()}
        largest = dict(sorted(folders.items(), key=lambda item: -item[1])[:6])
        return {"bytes": size(packages) - before, "seconds": round(seconds, 1), "largest": largest}


def size(folder: Path) -> int:
    """Bytes of all files under ``folder``."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--base-only", action="store_true", help="leave out the install of everything")
    options = parser.parse_args()
    found = {"base": install("")}
    if not options.base_only:
        found["all (what the demo needs)"] = install("[all]")
    met = int(str(found["base"]["bytes"])) <= GOAL_BYTES
    if options.json:
        sys.stdout.write(json.dumps({"goal_bytes": GOAL_BYTES, "met": met, "results": found}, indent=1) + "\n")
    else:
        for name, row in found.items():
            print(f"{name}: {int(str(row['bytes'])) / 1e6:.0f} MB in {row['seconds']} s; largest: {row['largest']}")
        print(f"goal for base: at most {GOAL_BYTES / 1e6:.0f} MB: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
