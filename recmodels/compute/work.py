"""The work of a computation, from counts alone: how many multiplications, or steps like them, it consists of.

A computation's time is its work over a speed that is measured. Only ratios matter: between sizes of a site, and between
hyper-parameters of one model.
"""

DENSE = 1 / 32
"""What a multiplication within a product of dense matrices counts, as processors do many of them at a time."""

KEPT = 12
"""What it counts to keep a neighbor, beside a product that tells how near it is."""

A_VECTOR = 200
"""What it counts to fetch a vector of some row or other, besides its numbers."""


def dense(rows: float, inner: float, columns: float) -> float:
    """The work of the product of two dense matrices, [rows, inner] and [inner, columns]."""
    return DENSE * rows * inner * columns


def gram(n_rows: int, n_entries: int) -> float:
    """That of XᵀX, X being sparse with so many rows and entries: the sum of the squared lengths of the rows.

    Rows are taken as equally long. Where some are much longer there is more to do, by a factor that a site keeps.
    """
    return n_entries * mean_length(n_rows, n_entries)


def neighbors_work(n_rows: int, n_entries: int, n_compared: int, neighbors: int) -> float:
    """That of the `neighbors` of each of `n_compared` columns, by their products in rows of so many entries."""
    return gram(n_rows, n_entries) + KEPT * n_compared * min(neighbors, n_compared)


def mean_length(n_rows: int, n_entries: int) -> float:
    """Entries of a row."""
    return n_entries / max(n_rows, 1)
