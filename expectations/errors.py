"""The error of results that break their contract."""

from recmodels.errors import NightrecError


class ExportRefused(NightrecError):
    """The result is not fit to publish: refused by the audit of the written files."""
