"""Nights of a demo site whose users react to what they are shown, one after the other, by the commands."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from tests.flows.running import Ran, nightrec
from tests.flows.sites import write

INPUTS = """\
[inputs.interactions]
path = "data/interactions*.parquet"
[inputs.items]
path = "data/items.parquet"
[inputs.users]
path = "data/users.parquet"
[inputs.exposures]
path = "data/exposures-*.parquet"
"""


def nights(folder: Path, first: date, n: int, settings: str, *size: str) -> Iterator[tuple[date, Ran]]:
    """Make a site in `folder`, and run each of its nights and then the day on which its users see the lists."""
    write(folder / "nightrec.toml", INPUTS + settings)
    made = nightrec("demo", "data", "--until", str(first), *size, cwd=folder)
    assert made.code == 0, made.err
    for day in (first + timedelta(days=days) for days in range(n)):
        yield day, nightrec("run", "--date", str(day), cwd=folder)
        reaction = nightrec("demo", "data", "--react", "store", cwd=folder)
        assert reaction.code == 0, reaction.err
