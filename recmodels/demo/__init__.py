"""The demo site: a generated media shop to try things on, deterministic by seed, whose users react to lists.

See `write_site`, `split_site` and `write_day`; `write_grocery` is of a shop where people buy the same again.
"""

from recmodels.demo.days import write_day
from recmodels.demo.domains import split_site
from recmodels.demo.grocery import write_grocery
from recmodels.demo.site import write_site

__all__ = ["split_site", "write_day", "write_grocery", "write_site"]
