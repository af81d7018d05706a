"""The memory that a dataset takes, from counts alone."""


def data_memory(n_users: int, n_items: int, n_interactions: int) -> int:
    """Bytes that a dataset takes about: 28 an interaction, and the starts and terms of users and items."""
    return 28 * n_interactions + 48 * n_users + 160 * n_items


def mapped_memory(n_users: int, n_items: int, n_interactions: int) -> int:
    """Bytes of a dataset that another process has left as arrays (`recmodels.parted.shared`), all of which are read:
    of an interaction its user, its item, its weight, and its item in the order of the matrix.
    """
    return 16 * n_interactions + 48 * n_users + 160 * n_items


def loading_memory(n_users: int, n_interactions: int) -> int:
    """Bytes that reading a dataset takes at its peak: of an interaction, what is read and what is kept of it."""
    return 48 * (n_interactions + n_users)
