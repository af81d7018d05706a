"""What all tests share: where the real data are."""

import os
from pathlib import Path

import pytest

REAL_DATA = Path(os.environ.get("NIGHTREC_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def real_data(name: str) -> Path:
    """The folder or file `name` of the real data; skips the test where it is absent."""
    path = REAL_DATA / name
    if not path.exists():
        pytest.skip(f"{path} is absent; point NIGHTREC_TEST_DATA at the folder of real data")
    return path
