"""The errors a person is meant to read: one clear sentence, and the exit code it ends the program with."""


class NightrecError(Exception):
    """The night cannot go on. The message says what happened, where, and what to do."""

    exit_code = 1


class ConfigError(NightrecError):
    """The arguments or the configuration are wrong: a path, a date, a name, a setting."""

    exit_code = 2


class DataRefused(NightrecError):
    """The data are not fit to learn from: malformed, empty, stale, or against an expectation."""

    exit_code = 3


class ExportRefused(NightrecError):
    """The result is not fit to publish: refused by the audit of the written files."""

    exit_code = 4


class GateRefused(NightrecError):
    """Nothing may be published tonight: the champion itself has fallen far below its recent nights."""

    exit_code = 4
