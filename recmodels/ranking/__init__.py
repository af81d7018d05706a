"""Exact top-k, and re-ranking by diversity and rules."""
