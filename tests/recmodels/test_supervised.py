"""A program ends with who started it, and leaves its result whole."""

import _thread
import json
import socket
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from recmodels.supervised import ended, write_result

WATCHING = """
import time
from recmodels.supervised import watch_stdin
watch_stdin(7)
print(1, flush=True)
time.sleep(60)
"""


def test_a_program_ends_when_nobody_holds_its_input_any_more() -> None:
    program = subprocess.Popen([sys.executable, "-c", WATCHING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdin is not None and program.stdout is not None
    assert program.stdout.readline() == b"1\n"
    assert program.poll() is None
    program.stdin.close()
    assert program.wait(30) == 7


def test_a_result_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    for seconds in (1, 2):
        write_result(tmp_path / "result.json", {"seconds": seconds})
    assert json.loads((tmp_path / "result.json").read_text()) == {"seconds": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_who_waits_for_a_program_can_be_told_to_stop_as_a_cluster_does() -> None:
    program = subprocess.Popen(["sleep", "60"])
    Timer(0.1, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        ended(program)
    assert program.poll() is None
    program.kill()
    assert ended(program) == -9


def test_it_ends_with_who_has_not_read_all_that_it_was_told() -> None:
    """Then the other end of a socket is not closed, but reset."""
    parents, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
    its.send(b"its process ID")
    program = subprocess.Popen([sys.executable, "-c", WATCHING], stdin=its, stdout=subprocess.PIPE)
    assert program.stdout is not None
    program.stdout.readline()
    its.close()
    parents.close()
    assert program.wait(30) == 7
    program.stdout.close()
