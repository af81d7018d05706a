"""A site's settings, and the options of one night."""

CONFIG_VARIABLE, STORE_VARIABLE = "NIGHTREC_CONFIG", "NIGHTREC_STORE"
"""The environment variables that name the settings and the store of a site, for deployed flows and servers."""
