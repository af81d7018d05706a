"""Whether a model is so far from what it was in recent nights that the data or the training must be broken."""

from dataclasses import dataclass

from tasks.compare.recent import Recent
from tasks.compare.settings import GateSettings

ADVICE = (
    "Something is wrong with the data or the training: look at them, or publish all the same with --force-model. "
    "The last export stays."
)


@dataclass(frozen=True)
class Tonight:
    """A model's quality tonight, and in proportion to that of the popularity of the last 7 days."""

    who: str
    quality: float
    lift: float | None


def collapse(settings: GateSettings, tonight: Tonight, recent: Recent) -> str | None:
    """Why nothing may be published tonight: a model that is known from recent nights is far from what it was.

    Its lift is judged, too: in a log whose items are mixed up, popularity is as easy to predict as ever or easier, and
    only what is personal is lost.
    """
    return _less_good(settings, tonight, recent) or _less_personal(settings, tonight, recent)


def _less_good(settings: GateSettings, tonight: Tonight, recent: Recent) -> str | None:
    least, usual, nights = settings.min_quality, recent.medians().value, len(recent.quality)
    if least is None or usual is None or nights < settings.min_nights or tonight.quality >= least * usual:
        return None
    share = f"{tonight.quality / usual:.0%} of the median of its last {nights} nights, {usual:.4f}"
    found = f"reaches NDCG {tonight.quality:.4f} tonight, {share}"
    return f"{tonight.who} {found} (gate.min_quality asks for {least:.0%}). {ADVICE}"


def _less_personal(settings: GateSettings, tonight: Tonight, recent: Recent) -> str | None:
    least, usual, lift = settings.min_lift, recent.medians().lift, tonight.lift
    if least is None or usual is None or lift is None:
        return None
    if len(recent.lift) < settings.min_nights or lift >= least * usual:
        return None
    times = f"{lift:.2f} times the NDCG of the popularity of the last 7 days"
    found = f"reaches {times}, and {usual:.2f} times is the median of its last {len(recent.lift)} nights"
    return f"{tonight.who} {found} (gate.min_lift asks for {least:.0%} of it). {ADVICE}"
