"""Units of time: the interactions carry microseconds since 1970 (UTC)."""

SECONDS_PER_DAY = 86_400
MICROSECONDS_PER_DAY = SECONDS_PER_DAY * 1_000_000
