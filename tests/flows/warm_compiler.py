"""Imported before candidates are forked: Numba loads what it compiles with at its first function, in half a second."""

import numba

numba.njit("none()")(lambda: None)
