import re
import subprocess
import sys

import pytest

from tests.flows.running import ROOT

pytestmark = pytest.mark.slow


def test_readers_see_whole_exports_and_a_resume_ends_the_same_wherever_a_command_is_killed() -> None:
    """In a process of its own: it forks, and is told of every change to a file from then on."""
    command = [sys.executable, "-m", "tests.reliability.killed_commands"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    kills = {name: int(n) for name, n in re.findall(r"(\w+): killed (\d+) times", ran.stdout)}
    assert kills["rollback"] >= 5 and kills["retention"] >= 20
