"""Compiled functions: how they are compiled, where the machine code is kept, how work is divided among cores.

Numba is imported here and nowhere before: a kernel's module is imported when a model is fitted or scored, not earlier.
A kernel calls kernels of its own module alone, though a few lines stand twice for it: Numba looks only at the caller's
file to see whether the machine code that it kept is still that of the source.
"""

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from recmodels.compute.cores import threads

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


def _keep_machine_code() -> None:
    """Numba keeps machine code beside the sources; where that is read-only, in a folder that only this user has.

    It must be able to write there. What was compiled ahead may lie where nobody can, as in an image, or where it is
    hidden by a file system in memory: `NIGHTREC_KERNELS` names the folder, and it is copied.
    """
    kept, ahead = os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("NIGHTREC_KERNELS")
    if kept and ahead and kept != ahead and not Path(kept).exists() and Path(ahead).is_dir():
        _copy(Path(ahead), Path(kept))
    if "NUMBA_CACHE_DIR" in os.environ or os.access(Path(__file__).parent, os.W_OK):
        return
    folder = Path(tempfile.gettempdir()) / f"nightrec-numba-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:  # somebody else could put code there
        folder = Path(tempfile.mkdtemp(prefix="nightrec-numba-"))
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


def _copy(ahead: Path, kept: Path) -> None:
    """Copy a folder as a whole: another process may be doing the same at this moment, and is done first."""
    with suppress(OSError):  # it is compiled again then
        kept.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{kept.name}-", dir=kept.parent))
        shutil.copytree(ahead, made, dirs_exist_ok=True)
        try:
            made.rename(kept)
        except OSError:
            shutil.rmtree(made)


_keep_machine_code()

import numba  # noqa: E402

numba.set_num_threads(min(threads(), numba.get_num_threads()))  # what `prange` divides its work by


def get_ready() -> None:
    """Have the compiler load all that it does at its first function, which takes a quarter of a second."""
    numba.njit("none()")(lambda: None)


REORDER = {"reassoc", "contract", "nsz", "arcp"}
"""What the compiler may do with sums and products; NaN and infinity stay what they are."""


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of numbers and arrays; it holds no lock while it runs, and divides by zero without a word."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def fast_jit(function: Callable[P, R]) -> Callable[P, R]:
    """`jit` where sums may be taken in any order (always the same one), so that they are taken 8 or 16 at a time."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDER)(function))


def inlined_fast_jit(function: Callable[P, R]) -> Callable[P, R]:
    """`fast_jit` for a helper of other kernels, whose code becomes part of theirs.

    A kernel fresh from the compiler calls the helper's own machine code, one from the cache a copy within its own: the
    compiler may sum up in another order in each, so that the first night's results would differ from the second's.
    """
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDER, forceinline=True)(function)
    return cast("Callable[P, R]", compiled)


def parallel_for(work: Callable[[int], object], parts: Iterable[int]) -> None:
    """Call `work` with each part, on as many threads as there are cores, with dynamic scheduling."""
    parts = list(parts)
    if threads() == 1 or len(parts) < 2:
        for part in parts:
            work(part)
        return
    ahead = iter(parts)  # that nobody has begun; taking the next is atomic

    def some() -> None:
        try:
            for part in ahead:
                work(part)
        except BaseException:
            deque(ahead, maxlen=0)  # nobody begins another
            raise

    n_threads = min(threads(), len(parts))
    with ThreadPoolExecutor(n_threads) as pool:
        for done in [pool.submit(some) for _ in range(n_threads)]:
            done.result()


def one_blas_thread() -> AbstractContextManager[object]:
    """Within it a matrix product of numpy's uses one thread: we share out the work, and sums do not depend on it."""
    return cast("AbstractContextManager[object]", _blas().limit(limits=1))


@cache
def _blas() -> "ThreadpoolController":
    """The BLAS libraries of this process; numpy's is among them. Looking for them takes longer than a small product."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")
