import subprocess
import sys

import pytest

from tests.flows.running import ROOT

SCENARIOS = ("rollback", "retention")


@pytest.mark.slow
def test_readers_see_whole_exports_and_a_resume_gives_the_same_bytes_wherever_a_command_is_killed() -> None:
    """The short commands, killed at a few of their changes; `python -m tests.reliability kills` does the rest."""
    few = ["--most", "5", "--random", "0", "--runs", "0", "--serves", "0", "--only", *SCENARIOS]
    command = [sys.executable, "-m", "tests.reliability", "kills", *few]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in SCENARIOS:
        assert f"| {name} " in ran.stdout
    assert "BROKEN" not in ran.stdout
