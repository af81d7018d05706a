"""The demo site: a generated media shop to try things on, deterministic by seed, whose users react to lists.

See `write_site` and `write_day`.
"""

from recmodels.demo.days import write_day
from recmodels.demo.site import write_site

__all__ = ["write_day", "write_site"]
