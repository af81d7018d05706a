"""How a command says to a scheduler how it ended."""

from expectations.errors import ExportRefused
from recmodels.errors import ConfigError, DataRefused
from tasks.errors import GateRefused

FAILED, DEGRADED = 1, 5
INTERRUPTED, TERMINATED = 130, 143  # as shells say of SIGINT and SIGTERM
CODES: dict[type[Exception], int] = {ConfigError: 2, DataRefused: 3, ExportRefused: 4, GateRefused: 4}


def exit_code(error: Exception) -> int:
    """2 bad arguments or configuration, 3 the data were refused, 4 the result was refused; 1 anything else.

    5 is no error: the night has ended, and somebody should look, for the champion could not be measured or most
    candidates failed.
    """
    return next((code for kind, code in CODES.items() if isinstance(error, kind)), FAILED)
