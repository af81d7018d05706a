"""How nearly the lists of an export are the exact ones, as its manifest and the night's record keep it."""

from tasks.evaluate.summary import Stored


class ApproximateSummary(Stored):
    """How nearly the lists of an export are the exact ones; the rest is as in `Approximation`. `wanted` is the recall
    of the settings.
    """

    wanted: float
    recall: float
    users: int
    products: float
    exact: str | None

    @property
    def sentence(self) -> str:
        """How the lists were made, in one sentence."""
        if self.exact is not None:
            return f"Lists are exact, though export.approximate is set: {self.exact}."
        return (
            f"Lists are approximate: {self.recall:.2%} of the exact ones is in them (wanted: {self.wanted:.2%}), "
            f"measured on {self.users:,} users; {self.products:.1%} of all scores were computed."
        )
