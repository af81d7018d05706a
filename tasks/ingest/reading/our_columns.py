"""The columns that our tables have: their keys, those that they need, and those that they may have."""

KEYS = {
    "interactions": ("user_id", "item_id"),
    "items": ("item_id",),
    "users": ("user_id",),
    "tags": ("item_id",),
    "exposures": ("user_id", "item_id"),
    "item_vectors": ("item_id",),
    "user_vectors": ("user_id",),
}
REQUIRED = KEYS | {
    "interactions": ("user_id", "item_id", "timestamp"),
    "tags": ("item_id", "tag"),
    "exposures": ("user_id", "item_id", "rank", "timestamp"),
    "item_vectors": ("item_id", "vector"),
    "user_vectors": ("user_id", "vector"),
}
OPTIONAL = {
    "interactions": ("rating", "event"),
    "items": ("title", "available", "available_from", "available_until"),
    "users": ("opted_out",),
    "tags": ("timestamp",),
    "exposures": ("export_id", "clicked", "outcome"),
    "item_vectors": (),
    "user_vectors": (),
}
COLUMNS = tuple(dict.fromkeys(ours for part in (REQUIRED, OPTIONAL) for columns in part.values() for ours in columns))
"""All columns of ours, of whatever table."""

DOMAIN = "domain"
"""The column that says of which catalogue an item is; it is one only where the settings say so."""
CONTEXT = "context"
"""The column of interactions that says in which context each was, such as a device; one that is named is read."""
IN_DOMAINS = ("interactions", "items", "tags")
"""The tables that have it."""
