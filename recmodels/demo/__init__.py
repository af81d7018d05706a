"""The demo site: a generated media shop to try things on, deterministic by seed. See `write_site`."""

from recmodels.demo.site import write_site

__all__ = ["write_site"]
