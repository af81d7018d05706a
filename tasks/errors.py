"""The error of a night that must not publish."""

from recmodels.errors import NightrecError


class GateRefused(NightrecError):
    """Nothing may be published tonight: the champion itself has fallen far below its recent nights."""
