"""A worker ends at once, whatever state its output is in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

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


STARTS = """
import subprocess, sys
from pathlib import Path
from edgerig.agent.watch import end
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
sys.stdin.readline()
end(Path(sys.argv[1]), orphaned=True)
"""


@pytest.mark.parametrize("leads", [True, False])
def test_what_an_orphaned_worker_has_started_ends_with_it_where_it_leads_its_session(
    leads: bool, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", STARTS, str(tmp_path / "session")]
    with subprocess.Popen(
        command, text=True, start_new_session=leads, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as ended:
        assert ended.stdout is not None
        assert ended.stdin is not None
        started = psutil.Process(int(ended.stdout.readline()))
        ended.stdin.write("\n")
        ended.stdin.close()
        ended.wait(60)
        if leads:
            psutil.wait_procs([started], timeout=60)
            assert not started.is_running() or started.status() == psutil.STATUS_ZOMBIE
        else:
            assert started.is_running(), "a group of somebody else's is left alone"
            started.kill()
