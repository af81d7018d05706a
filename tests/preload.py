"""What most tests would import, read or load at its first use, each process for itself."""

import gc
import importlib
import sys

from numba.core.dispatcher import Dispatcher

LATE = (
    *("recmodels.factors.als_kernels", "recmodels.knn.kernels", "recmodels.linear.ease_kernels"),
    *("recmodels.linear.filter_kernels", "recmodels.ranking.topk_kernels"),
    "recmodels.scoring.reason_kernels",
)
"""What the first fits and lists import: most of it in each candidate of a night, too."""


def letters() -> None:
    """Have what Hypothesis knows of characters, which takes it more than a second where it has not kept it."""
    from hypothesis.internal import charmap

    charmap.charmap()
    charmap.intervals_from_codec("utf-8")


def preload() -> None:
    """Have it all in this process, without a thread."""
    from expectations.runner import great_expectations
    from tasks.store import versions

    for module in LATE:
        importlib.import_module(module)
    great_expectations()
    versions.code_version()
    versions.imported_by(*(name for name in sys.modules if name.startswith(("tasks.", "recmodels."))))
    compiled_kernels()
    gc.freeze()


def compiled_kernels() -> None:
    """Load the machine code of our kernels that Numba has kept: else each candidate of a night loads its own."""
    ours = [module for name, module in sys.modules.items() if name.startswith("recmodels.")]
    for kernel in {thing for module in ours for thing in vars(module).values() if isinstance(thing, Dispatcher)}:
        if kept := getattr(kernel._cache, "_cache_file", None):
            for signature, *_ in kept._load_index():
                kernel.compile(signature)
