"""Imported before candidates are forked: Numba loads what it compiles with at its first function, in half a second."""

from recmodels.compute import jit

jit.get_ready()
