"""What code made something: nightrec's release, and a digest of its sources."""

import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from tasks.store.files import digest, sha256

_ROOT = Path(__file__).parents[2]
_FLOORS = ("recmodels", "expectations", "tasks")


def _release() -> str:
    project = _ROOT / "pyproject.toml"
    if project.is_file():  # a source tree: what is installed beside it may be older
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    return version("nightrec")


NIGHTREC_VERSION = _release()


@cache
def code_version() -> str:
    """nightrec's version and a digest of the source of every floor below the flows."""
    sources = sorted(path for floor in _FLOORS for path in (_ROOT / floor).rglob("*.py"))
    content = [(path.relative_to(_ROOT).as_posix(), sha256(path)) for path in sources]
    return f"{NIGHTREC_VERSION}+{digest(content)[:12]}"
