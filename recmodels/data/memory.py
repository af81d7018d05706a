"""The memory that a dataset takes, from counts alone."""


def data_memory(n_users: int, n_items: int, n_interactions: int) -> int:
    """Bytes that a dataset takes about: 28 an interaction with all columns, and starts and terms of users and items."""
    return 28 * n_interactions + 48 * n_users + 160 * n_items


def matrix_memory(n_users: int, n_items: int, n_interactions: int) -> int:
    """Bytes of a dataset that holds its matrix alone, as trainings do (`recmodels.data.late`): 8 an interaction."""
    return 8 * n_interactions + 48 * n_users + 160 * n_items


def loading_memory(n_users: int, n_interactions: int) -> int:
    """Bytes that reading a dataset takes at its peak: of an interaction, what is read and what is kept of it."""
    return 40 * (n_interactions + n_users)
