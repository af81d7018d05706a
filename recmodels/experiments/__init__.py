"""Experiments with users in arms: assignment, effects with intervals, the users needed, return times, interleaving."""
