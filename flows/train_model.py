"""One candidate, trained by a worker: what a night sends to the work pools of other machines."""

import os

from prefect import flow

from flows.no_storage import keep_nothing
from recmodels.compute.memory import at_most
from recmodels.engine.choice import working_on
from recmodels.errors import NightrecError
from tasks.evaluate.stage import evaluate, measured
from tasks.store.in_step import store_folder
from tasks.store.lease import beating
from tasks.store.locking import is_held
from tasks.store.manifests import Manifest, finished
from tasks.train.jobs import TrainingJob
from tasks.train.stage import refit, refitted, train, trained


@keep_nothing
@flow(name="train-model", flow_run_name="{job.label}-{job.run_date}", persist_result=False)
def train_model(job: TrainingJob) -> None:
    """Train and measure one model of a night, or refit its winner. The night starts this; there is no need to.

    **When it fails**, the night goes on without the model, and its message says why.
    """
    job = job.model_copy(update={"store": store_folder(os.environ.get("NIGHTREC_STORE") or job.store)})
    job.same_code()
    if not is_held(job.night.store, job.lease):
        raise NightrecError(
            f"No night in the store {job.store} asks for {job.label}: it has ended, or this worker sees another "
            "store (set NIGHTREC_STORE to where it is here)."
        )
    with at_most(job.memory), working_on(job.engine), beating(job.alive, lambda: is_held(job.night.store, job.lease)):
        run_job(job)


def run_job(job: TrainingJob) -> Manifest:
    """Train, list and measure a candidate, or refit the winner, from what the store holds of the night."""
    prepared, described = features_of(job)
    if job.split == "full":
        return refit(job, prepared, described)
    return evaluate(job, train(job, prepared, described), prepared)


def done_already(job: TrainingJob) -> Manifest | None:
    """What `run_job` would return at once, as an earlier run of the night did all of it."""
    if job.fresh:
        return None
    prepared, described = features_of(job)
    if job.split == "full":
        return refitted(job, prepared, described)
    lists = trained(job, prepared, described)
    return measured(job, lists, prepared) if lists else None


def features_of(job: TrainingJob) -> tuple[Manifest, Manifest]:
    """The manifests of the night's interactions and of the features that a job trains on.

    Raises:
        NightrecError: they are not in the store.
    """
    night = job.night
    prepared, described = finished(night.prepared), finished(night.features / job.split)
    if prepared is None or described is None:
        raise NightrecError(
            f"The features of the night {job.run_date} are not in {night.features}: see that its disk is mounted, and "
            "run the night again."
        )
    return prepared, described
