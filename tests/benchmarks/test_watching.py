"""A program is watched with all that it starts."""

import sys
from pathlib import Path

import pytest

from tests.benchmarks import watching
from tests.benchmarks.watching import watched

CHILD = "held = bytearray(64 * 2**20); import time; time.sleep(1)"
BUSY = "import sys, time\nwhile time.process_time() < .5: pass\nprint(flush=True); sys.stdin.read()"


@pytest.mark.slow
def test_memory_is_that_of_the_program_and_of_what_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY", 0.05)
    program = f"import subprocess, sys; held = bytearray(64 * 2**20); subprocess.run([sys.executable, '-c', {CHILD!r}])"
    with (tmp_path / "log").open("w") as log:
        found = watched([sys.executable, "-c", f"{program}; sys.exit(3)"], log, tmp_path)
    assert found.code == 3 and 0 < found.cpu_seconds < 60
    assert 64 * 2**20 < found.process_bytes < 128 * 2**20 < found.peak_bytes < 512 * 2**20


@pytest.mark.slow
def test_cpu_seconds_are_also_of_what_outlives_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "EVERY", 0.05)
    start = f"import subprocess, sys, time; one = subprocess.Popen([sys.executable, '-c', {BUSY!r}], -1, None, -1, -1)"
    with (tmp_path / "log").open("w") as log:
        found = watched([sys.executable, "-c", f"{start}; one.stdout.readline(); time.sleep(0.2)"], log, tmp_path)
    assert 0.5 <= found.cpu_seconds < 5
