"""The errors of a night that must not publish, or cannot; and how a night says to a scheduler how it ended."""

from expectations.errors import ExportRefused
from recmodels.errors import ConfigError, DataRefused, NightrecError


class GateRefused(NightrecError):
    """Nothing may be published tonight: the champion itself has fallen far below its recent nights."""


class DiskRefused(NightrecError):
    """The file system or the memory did not give what was asked for: full, gone, forbidden."""


FAILED, DEGRADED = 1, 5
INTERRUPTED, TERMINATED = 130, 143  # as shells say of SIGINT and SIGTERM
CODES: dict[type[Exception], int] = {ConfigError: 2, DataRefused: 3, ExportRefused: 4, GateRefused: 4}


def exit_code(error: BaseException) -> int:
    """2 bad arguments or configuration, 3 the data were refused, 4 the result was refused; 1 anything else.

    5 is no error: the night has ended, and somebody should look, for the champion could not be measured or most
    candidates failed.
    """
    if not isinstance(error, Exception):
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else TERMINATED
    return next((code for kind, code in CODES.items() if isinstance(error, kind)), FAILED)
