"""Candidates' processes as forks of one that has imported what they need: `python -m recmodels.candidate_forks FD`.

FD is one end of a socket (SOCK_SEQPACKET) whose other end a night holds. Each message names a specification and, as
variables of the environment, the threads that its candidate may have, and brings two files: another such socket, which
becomes the candidate's standard input, and its log. On that socket the night is told the process id, and in the end the
exit code. What the forks have in common they share in memory.
"""

import gc
import json
import os
import selectors
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import safetensors.numpy  # noqa: F401  # what models are saved with

from recmodels import candidate, plugins, registry
from recmodels.compute import cores, jit
from recmodels.errors import NightrecError
from recmodels.supervised import WATCH

LONGEST = 2**16  # bytes of a message


def main(arguments: list[str]) -> None:
    """Fork as often as is asked, until the night lets go of its end; the further arguments are recommenders to import.

    Raises:
        SystemExit: in a fork, with the exit code of its candidate.
    """
    night, ready = socket.socket(fileno=int(arguments[0])), selectors.DefaultSelector()
    jit.get_ready()
    for name in set(arguments[1:]).intersection(registry.names()).difference(plugins.registered()):
        with suppress(NightrecError):  # its own process will say why
            registry.create(name, {}, seed=0)  # what others have written may start threads, which no fork has
    gc.collect()
    gc.freeze()  # or a collection would touch, and so copy, all that the forks share
    ready.register(night, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is not night:
                _tell(ready, key)
                continue
            message, files, _, _ = socket.recv_fds(night, LONGEST, 2)
            if not message:
                return
            told, log = files
            if (pid := os.fork()) == 0:
                ready.close()
                night.close()
                _become_candidate(**json.loads(message), told=told, log=log)
            os.close(log)
            tells = socket.socket(fileno=told)
            tells.send(str(pid).encode())
            ready.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, tells))


def _tell(ready: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Tell the night that a fork has ended, and how."""
    pid, tells = key.data
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ready.unregister(key.fileobj)
    os.close(key.fd)
    with tells:
        try:
            tells.send(str(code).encode())
        except OSError:
            return  # nobody waits for it any more


def _become_candidate(spec: str, threads: dict[str, str], told: int, log: int) -> None:
    """Do what `python -m recmodels.candidate` does, and end."""
    for file, place in ((told, 0), (log, 1), (log, 2)):
        os.dup2(file, place)
    os.closerange(3, max(told, log) + 1)  # what others of the forks are told through, too
    code = candidate.FAILED
    try:
        if threads.items() - os.environ.items():
            take(threads)
        code = candidate.main([spec, WATCH])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def take(threads: dict[str, str]) -> None:
    """Have what was imported compute with so many threads, as if it had found these variables in the environment."""
    import numba
    from threadpoolctl import threadpool_limits

    os.environ |= threads
    n = cores.threads()
    threadpool_limits(n, user_api="blas")
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    pa.set_cpu_count(n)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(n)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    main(sys.argv[1:])
