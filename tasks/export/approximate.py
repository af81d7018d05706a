"""Lists that are made faster and are nearly the exact ones, where the site wants them."""

from dataclasses import asdict

from tasks.export.nearly import ApproximateSummary
from tasks.export.serving import Lister
from tasks.store.events import log_event


def approximate(main: Lister, seed: int) -> ApproximateSummary | None:
    """Have the winner's lists made faster, if the settings want that; None where they do not."""
    settings, rules = main.settings, main.rules
    if not settings.approximate:
        return None
    k = settings.longest if rules is None else max(rules.pool, settings.longest)  # of the candidates
    allowed = main.allowed if rules is None else main.allowed & rules.allowed
    found = main.model.approximate(
        main.data, k, allowed=allowed, repeats=settings.repeats, recall=settings.recall, seed=seed
    )
    summary = ApproximateSummary(wanted=settings.recall, **asdict(found))
    log_event("export", "note", summary.sentence.removesuffix("."))
    return summary
