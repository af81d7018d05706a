import pytest

from expectations.errors import ExportRefused
from recmodels.errors import ConfigError, DataRefused, NightrecError
from tasks.errors import GateRefused, exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NightrecError("no"), 1),
        (ValueError("no"), 1),
        (ConfigError("no"), 2),
        (DataRefused("no"), 3),
        (ExportRefused("no"), 4),
        (GateRefused("no"), 4),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code
