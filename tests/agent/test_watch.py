"""A worker ends at once, whatever state its output is in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

END = """
import sys
from pathlib import Path
from edgerig.agent.watch import end
sys.stdout = open("/dev/full", "w")
print("this cannot be written")
end(Path(sys.argv[1]))
"""


def test_output_that_cannot_be_written_keeps_no_worker_from_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    ended = subprocess.run([sys.executable, "-c", END, str(folder)], capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert not folder.exists()
