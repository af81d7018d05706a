"""The errors of a night that must not publish, or cannot."""

from recmodels.errors import NightrecError


class GateRefused(NightrecError):
    """Nothing may be published tonight: the champion itself has fallen far below its recent nights."""


class DiskRefused(NightrecError):
    """The file system or the memory did not give what was asked for: full, gone, forbidden."""
