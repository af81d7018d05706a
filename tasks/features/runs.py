"""Texts cut at what is no letter or digit in ASCII, all at once; other scripts stay in one piece with letters."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recmodels.data.arrays import Longs

_IN_RUN = np.array([byte >= 0x80 or chr(byte).isalnum() or chr(byte) == "_" for byte in range(256)])
"""Of each byte of UTF-8: whether it is a letter, a digit or `_` of ASCII, or part of a character that is not ASCII."""


def runs_of(texts: pa.StringArray) -> tuple[pa.StringArray, Longs]:
    """The runs of such characters in some texts, in order, and where those of each text begin and the last ones end.

    Nothing of Unicode reaches across an ASCII character that is between two runs but for one mark (`STROKE`), so that
    each run can be read by itself, and one that is met often once.
    """
    _, starts_of_texts, data = texts.buffers()
    bounds = np.frombuffer(starts_of_texts, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    text = np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]]
    bounds = bounds - bounds[0]
    inside = _IN_RUN[text]
    begins = inside.copy()
    begins[1:] = inside[1:] > inside[:-1]
    first = bounds[:-1][bounds[:-1] < bounds[1:]]  # of texts that are not empty: runs end with them
    begins[first] = inside[first]
    starts = np.flatnonzero(begins)
    offsets = np.append(np.flatnonzero(begins[inside]), np.count_nonzero(inside)).astype(np.int32)
    runs = pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(text[inside]))
    return runs, np.searchsorted(starts, bounds)


STROKE = "\u0338"
"""It makes another character of the `<`, `=` or `>` before it, also across other marks, and is none of its own then."""


def may_reach_back(runs: pa.Array) -> bool:
    """Whether one of some runs may be part of the character before it, so that texts are to be read whole."""
    return pc.any(pc.match_substring(runs, STROKE)).as_py() is True
