"""Showing some users something else, with a known probability, so that what was not shown can be judged."""
