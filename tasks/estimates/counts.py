"""How large a site is: the numbers that time, memory and disk follow from."""

from dataclasses import dataclass

from tasks.store.summaries import PreparedSummary


@dataclass(frozen=True)
class Counts:
    """Of one night.

    Attributes:
        interactions: rows of the log.
        users, items: that occur in it, or in the tables of users and items.
        pairs: of a user and an item, repeats merged.
        measured: users whose lists are measured, of each candidate.
        planned: bytes of memory that the night plans with.
        ranges: of users, one after the other of which the log is prepared; 0: as many as the memory asks for.
    """

    interactions: int
    users: int
    items: int
    pairs: int
    measured: int
    planned: int
    ranges: int = 0

    @classmethod
    def of_prepared(cls, summary: PreparedSummary, planned: int) -> "Counts":
        """Those of a night that has prepared its tables."""
        return cls(
            interactions=summary["events"],
            users=summary["users"],
            items=summary["items"],
            pairs=summary["full"]["rows"],
            measured=summary["holdout"]["users"],
            planned=planned,
        )
