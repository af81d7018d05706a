"""What a night explored, as the export's manifest and the night's record keep it."""

from pydantic import Field

from recmodels.messages import counted
from tasks.evaluate.summary import Stored


class ExploredCounts(Stored):
    """What became of a night's exploration.

    `users`: those whose place could be drawn; `drawn`: those who are shown another item by it. By proposer: for how
    many users it had a proposal, and for how many of them another item than the usual one.
    """

    users: int = 0
    drawn: int = 0
    proposals: dict[str, int] = Field(default={})
    others: dict[str, int] = Field(default={})


class ExplorationSummary(Stored):
    """How a night explored, and what became of it; `users` is the share of them that could be drawn."""

    epsilon: float
    slot: int | None
    users: float
    seed: int
    proposers: list[str]
    way: str = "candidates"
    choose: str = "uniform"
    segment: str | None = None
    shares: dict[str, dict[str, float]] = Field(default={})
    """By segment of the users how probable each proposer is, where that is learned."""
    counts: ExploredCounts

    @property
    def sentence(self) -> str:
        """What was explored, in one sentence."""
        if not self.proposers:
            return "Exploration: no other model could propose anything, and nothing was drawn."
        if self.way == "thompson":
            return self._of_replicates()
        place = self._place
        drawn, users = self.counts.drawn, counted(self.counts.users, "list")
        others = ", ".join(
            f"{name} for {self.counts.others.get(name, 0) / max(1, self.counts.users):.0%}" for name in self.proposers
        )
        by = f" by {self.segment}" if self.segment else ""
        learned = "" if self.choose == "uniform" else f"; how often each is drawn is learned ({self.choose}{by})"
        return (
            f"Exploration: {drawn:,} of {users} that may be drawn show another model's item in {place} "
            f"(epsilon {self.epsilon:g}). Another item than the usual one is proposed by {others}{learned}."
        )

    @property
    def _place(self) -> str:
        return "the last place" if self.slot is None else f"place {self.slot}"

    def _of_replicates(self) -> str:
        drawn, users = self.counts.drawn, counted(self.counts.users, "list")
        shares = [self.counts.others.get(name, 0) / max(1, self.counts.users) for name in self.proposers]
        low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
        return (
            f"Exploration: {drawn:,} of {users} that may be drawn show in {self._place} what the model would rank "
            f"highest by a little other data (epsilon {self.epsilon:g}). Another item than the usual one is proposed "
            f"by {counted(len(shares), 'replicate')} for {low if low == high else f'{low} to {high}'}."
        )
