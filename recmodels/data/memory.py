"""The memory that a dataset takes, from counts alone."""


def data_memory(n_users: int, n_items: int, n_interactions: int) -> int:
    """Bytes that a dataset takes about: 28 an interaction, and the starts and terms of users and items.

    That is with all columns; what trains on the matrix alone holds 8 an interaction (`recmodels.data.late`).
    """
    return 28 * n_interactions + 48 * n_users + 160 * n_items


def mapped_memory(n_users: int, n_items: int, n_interactions: int) -> int:
    """Bytes of a dataset that another process has left as arrays (`recmodels.parted.shared`), of which most are read:
    of an interaction its item and weight in the matrix, and in what is seen; or its user, its item and its weight.
    """
    return 16 * n_interactions + 48 * n_users + 160 * n_items


def loading_memory(n_users: int, n_interactions: int) -> int:
    """Bytes that reading a dataset takes at its peak: of an interaction, what is read and what is kept of it."""
    return 48 * (n_interactions + n_users)
