"""Signs of life on a shared folder."""

import os
import time
from pathlib import Path

import pytest

from tasks.store import lease


@pytest.mark.slow
def test_signs_of_life_keep_a_lease_young(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "alive"
    assert lease.age(path) is None
    with lease.beating(path, every=0.05):
        os.utime(path, (0, 0))
        time.sleep(0.5)
        age = lease.age(path)
        assert age is not None and age < 0.5
    assert sorted(entry.name for entry in path.parent.iterdir()) == [lease.CLOCK, "alive"]  # one clock, that stays
