"""The errors a person is meant to read: one clear sentence."""


class NightrecError(Exception):
    """It cannot go on. The message says what happened, where, and what to do."""


class ConfigError(NightrecError):
    """The arguments or the configuration are wrong: a path, a date, a name, a setting."""


class DataRefused(NightrecError):
    """The data failed validation: malformed, empty, stale, or against an expectation."""
