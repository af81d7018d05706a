"""The public API of the library."""

import subprocess
import sys

import pytest

import recmodels


def test_every_public_name_is_there() -> None:
    for name in recmodels.__all__:
        assert getattr(recmodels, name).__name__ == name
    assert dir(recmodels) == sorted(recmodels.__all__)


@pytest.mark.slow
def test_importing_the_library_and_measuring_lists_load_neither_torch_nor_pandas_nor_numba() -> None:
    code = (
        "import sys; from recmodels import EASE, Dataset; import recmodels.transformer.rank_process; "
        "import numpy as np; from scipy import sparse; from recmodels.metrics.ranking import per_user; "
        "per_user(np.zeros((1, 1), np.int32), sparse.csr_array(np.ones((1, 1), bool))); "
        "print({'torch', 'pandas', 'numba'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Ease'"):
        _ = recmodels.Ease
