"""Nearest neighbors: by items and by users."""
