"""The errors a person is meant to read: one clear sentence."""

from recmodels.messages import sentence


class NightrecError(Exception):
    """It cannot go on. The message says what happened, where, and what to do.

    Whatever it was made of, it reads as one line of at most 400 characters that no terminal takes for a command.
    """

    def __str__(self) -> str:
        return sentence(super().__str__())


class ConfigError(NightrecError):
    """The arguments or the configuration are wrong: a path, a date, a name, a setting."""


class DataRefused(NightrecError):
    """The data failed validation: malformed, empty, stale, or against an expectation."""


class EngineUnavailable(NightrecError):
    """A cluster that was asked for cannot be worked with: nothing is there, or what is there does not fit."""
