"""Sinks: the current lists in a database of the site, for those who do not read Parquet; one file a kind."""
