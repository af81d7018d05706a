"""A site small enough to be read in a test: 40 users, 20 items, 320 interactions in the 40 days before ``DAY``."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

DAY = date(2024, 3, 1)
USERS, ITEMS, EACH = 40, 20, 8


def log() -> str:
    """The interactions as CSV; every user has eight different items, the newest is two hours before ``DAY``."""
    end = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    rows = ["user_id,item_id,timestamp"]
    for user in range(USERS):
        for n in range(EACH):
            when = end - timedelta(days=(user * 7 + n * 11) % 40, hours=2, minutes=user, seconds=n)
            rows.append(f"u{user:02},{100 + (user * 3 + n * 7) % ITEMS},{when:%Y-%m-%dT%H:%M:%SZ}")
    return "\n".join(rows) + "\n"


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
