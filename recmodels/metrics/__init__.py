"""Metrics of lists and ratings, and the significance of differences."""
