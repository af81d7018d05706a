"""The work of a computation, from counts alone: how many multiplications, or steps like them, it consists of.

A computation's time is its work over a speed that is measured. Only ratios matter: between sizes of a site, and between
hyper-parameters of one model.
"""

DENSE = 1 / 32
"""What a multiplication within a product of dense matrices counts, as processors do many of them at a time."""


def dense(rows: float, inner: float, columns: float) -> float:
    """The work of the product of two dense matrices, [rows, inner] and [inner, columns]."""
    return DENSE * rows * inner * columns


def gram(n_rows: int, n_entries: int) -> float:
    """That of XᵀX, X being sparse with so many rows and entries: the sum of the squared lengths of the rows.

    Rows are taken as equally long. Where some are much longer there is more to do, by a factor that a site keeps.
    """
    return n_entries * mean_length(n_rows, n_entries)


def mean_length(n_rows: int, n_entries: int) -> float:
    """Entries of a row."""
    return n_entries / max(n_rows, 1)
