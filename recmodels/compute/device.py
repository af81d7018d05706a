"""Where models compute: CUDA where this process sees such a device, the processor elsewhere."""

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from recmodels.errors import ConfigError

if TYPE_CHECKING:
    import torch

DRIVERS = ("/dev/nvidiactl", "/dev/dxg")  # Linux; Linux within Windows

LOGIT_BYTES = {"cpu": 2**22, "cuda": 2**29}
"""Memory for the scores of a softmax over many items at a time, by device: on a CPU they stay in its cache."""


def load_numba_first() -> None:
    """Load numba before torch computes: amid a training it would change the last bits of what torch computes."""
    import recmodels.compute.jit  # noqa: F401


@cache
def has_torch() -> bool:
    """Whether PyTorch is installed, which is an extra of nightrec."""
    return find_spec("torch") is not None


def require_torch(what: str) -> None:
    """Raise ConfigError where PyTorch is not installed, naming `what` needs it."""
    if not has_torch():
        raise ConfigError(f"{what} needs PyTorch, which is not installed: pip install 'nightrec[torch]'.")


@cache
def cuda() -> bool:
    """Whether this process sees a CUDA device; torch is loaded only where there may be one."""
    if not has_torch():
        return False
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not any(Path(driver).exists() for driver in DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()


def name() -> str:
    """The device as torch calls it."""
    return "cuda" if cuda() else "cpu"


def seed_torch(seed: int, device: "torch.device") -> None:
    """Seed the random numbers of one device.

    `torch.manual_seed` seeds all kinds of devices, and keeps every seed for those that are not loaded.
    """
    import torch

    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)


def names() -> list[str]:
    """All devices that this process sees, as torch calls them."""
    if not cuda():
        return ["cpu"]
    import torch

    return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
