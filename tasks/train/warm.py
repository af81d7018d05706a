"""Starting a training from a model of an earlier night: from which one, and when from nothing again.

What is measured on held-out days never starts from a model that has seen any of them: a training for the comparison
goes on from one for the comparison alone, whose data ended before tonight's holdout begins. A refit goes on from a
refit.
"""

from datetime import date
from typing import NamedTuple

from recmodels.base import Recommender
from recmodels.data.layout import USERS, Split
from recmodels.data.pairs import Pairs
from recmodels.parameters import current
from recmodels.registry import create, is_registered, kind_of
from tasks.store.files import Json, read_json
from tasks.store.manifests import Manifest, manifest_of, whole
from tasks.store.paths import Night
from tasks.store.summaries import WarmSummary
from tasks.train.jobs import TrainingJob


class Start(NamedTuple):
    """A model of an earlier night that a training starts from."""

    night: Night
    manifest: Manifest
    spec: Json
    """What the candidate's process is told of it."""
    nights: int
    """How many nights in a row will have started from the one before, this one included."""
    since: str
    """The night that started from nothing."""

    def told(self, result: Json) -> Json:
        """The result of a training that could start from it, with what came of that."""
        share = max(result["changed"], key=lambda name: float(result["changed"][name]))
        warm: WarmSummary = {"changed": result["changed"]}
        if result["warm"]:
            warm |= {"night": str(self.night.run_date), "nights": self.nights, "since": self.since}
            message = f"from the model of {self.night.run_date}"
        else:
            message = f"from nothing, as {result['changed'][share]:.0%} of the {share} are new"
        return result | {"warm": warm, "message": f"{result['message']}, {message}"}


def earlier(job: TrainingJob, recipe: Json, code: str) -> Start | None:
    """The newest model of an earlier night that a training is to go on from, if there is one.

    It must be of the same recipe and code. For the comparison both nights hold out their last days, and the earlier one
    was trained on nothing that tonight's measures. A replicate starts from nothing that has seen the other users, and
    after `warm_nights` in a row everything starts from nothing.
    """
    if job.replicate is not None or job.fresh:
        return None
    if not goes_on(create(job.recommender, job.candidate.parameters), job.split, job.warm_nights):
        return None
    for night in reversed(job.night.store.all_nights()):
        folder = job.fitted(night)
        if (
            night.run_date < job.run_date
            and (manifest := manifest_of(folder))
            and manifest["code"] == code
            and by_current_names(manifest["parameters"]) == by_current_names(recipe)
            and (night.prepared / USERS).exists()
            and (job.split == "full" or _ends_before(night, job.night))
            and whole(folder)
        ):
            return _start(job, night, manifest)
    return None


def goes_on(model: Recommender, split: Split, warm_nights: int) -> bool:
    """Whether trainings of a model on that split go on from one of the night before, where there is one."""
    warm_start = getattr(model, "warm_start", "no")
    return warm_nights > 0 and (warm_start == "always" or (warm_start == "refit" and split == "full"))


def _start(job: TrainingJob, night: Night, manifest: Manifest) -> Start | None:
    before: WarmSummary = manifest["summary"].get("warm", {})
    nights = before.get("nights", 0) + 1
    if nights > job.warm_nights:
        return None
    spec = {"model": str(job.fitted(night)), "features": str(night.features), "most_changed": job.warm_changed}
    return Start(night, manifest, {"earlier": spec}, nights, before.get("since", str(night.run_date)))


def nights_of(warm: WarmSummary, run_date: date) -> list[date]:
    """The days whose models have gone into one of that night."""
    if "since" not in warm:
        return []
    first = date.fromisoformat(warm["since"])
    return [date.fromordinal(day) for day in range(first.toordinal(), run_date.toordinal())]


def by_current_names(recipe: Json) -> Json:
    """A recipe whose parameters may have had other names when it was stored."""
    name = recipe["recommender"]
    if not is_registered(name):
        return recipe
    return recipe | {"params": current(kind_of(name), recipe["params"], name, note=False)}


def _ends_before(night: Night, later: Night) -> bool:
    """Whether what a night trains on for the comparison ends before what a later one measures, for all users."""
    protocols = {
        (read_json(one.prepared / "manifest.json") or {}).get("summary", {}).get("holdout", {}).get("protocol")
        for one in (night, later)
    }
    ends = [Pairs(one.prepared, "train").end for one in (night, later)]
    return protocols == {"days"} and ends[0] <= ends[1]
