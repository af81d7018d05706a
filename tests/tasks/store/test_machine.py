"""Those who train share the cores, the memory and the GPUs of a machine, whatever process they are in."""

import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from recmodels.errors import ConfigError
from tasks.store.machine import Machine, gpu_ids
from tests.flows.running import ROOT
from tests.waiting import PATIENCE

GIB = 2**30


def test_shares_add_up_to_the_machine_and_no_more(tmp_path: Path) -> None:
    machine, taken, most = Machine(tmp_path, cores=4), [], []

    def work(cores: int) -> None:
        with machine.share(cores):
            taken.append(min(cores, 4))  # a share larger than the machine is the whole machine
            most.append(sum(taken))
            time.sleep(0.02)
            taken.remove(min(cores, 4))

    workers = [threading.Thread(target=work, args=(cores,)) for cores in (1, 2, 3, 1, 2, 4, 9)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(most) == 7
    assert max(most) == 4


def test_memory_is_shared_as_well(tmp_path: Path) -> None:
    machine, order = Machine(tmp_path, cores=8, memory=64 * GIB), []
    with machine.share(1, memory=40 * GIB):
        late = threading.Thread(target=lambda: order.append(hold(machine, 30 * GIB)))
        late.start()
        time.sleep(0.3)
        assert order == []
    late.join()
    assert len(order) == 1


def hold(machine: Machine, memory: int) -> float:
    with machine.share(1, memory=memory):
        return time.monotonic()


def test_a_gpu_is_given_to_one_at_a_time(tmp_path: Path) -> None:
    machine, seen = Machine(tmp_path, cores=8, gpus=["0"]), []

    def work() -> None:
        with machine.share(1, gpus=1) as mine:
            seen.append((time.monotonic(), mine))
            time.sleep(0.1)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    starts = sorted(when for when, _ in seen)
    assert all(mine == ["0"] for _, mine in seen)
    assert all(later - earlier >= 0.1 for earlier, later in pairwise(starts))


def test_what_a_killed_process_held_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; from tasks.store.machine import Machine\n"
        "with Machine(pathlib.Path(sys.argv[1]), cores=2).share(2): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    waiting = threading.Thread(target=lambda: hold(Machine(tmp_path, cores=2), 0))
    waiting.start()
    time.sleep(0.2)
    assert waiting.is_alive()
    other.kill()
    other.wait()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_gpus_are_those_that_cuda_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 0")
    assert gpu_ids() == ["2", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpu_ids() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_ids() == []


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "slots").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError, match="belongs to somebody else"), Machine(tmp_path / "slots").share(1):
        pass
