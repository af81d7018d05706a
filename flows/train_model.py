"""One candidate, trained by a worker: what a night asks of the pools of other machines."""

import os
from pathlib import Path

from prefect import flow

from recmodels.errors import NightrecError
from tasks.evaluate.stage import evaluate
from tasks.store.lease import beating
from tasks.store.locking import is_held
from tasks.store.paths import Manifest, finished
from tasks.train.jobs import Order
from tasks.train.stage import refit, train


@flow(name="train-model", flow_run_name="{order.label}-{order.run_date}", persist_result=False)
def train_model(order: Order) -> None:
    """Train and measure one model of a night, or refit its winner. The night starts this; there is no need to.

    **When it fails**, the night goes on without the model, and its message says why.
    """
    order = order.model_copy(update={"store": Path(os.environ.get("NIGHTREC_STORE") or order.store)})
    order.same_code()
    if not is_held(order.night.store, order.lease):
        raise NightrecError(
            f"No night in the store {order.store} asks for {order.label}: it has ended, or this worker sees another "
            "store (set NIGHTREC_STORE to where it is here)."
        )
    with beating(order.alive, lambda: is_held(order.night.store, order.lease)):
        carry_out(order)


def carry_out(order: Order) -> Manifest:
    """Train, list and measure a candidate, or refit the winner, from what the store holds of the night."""
    night = order.night
    prepared, described = finished(night.prepared), finished(night.features / order.window)
    if prepared is None or described is None:
        raise NightrecError(f"The features of the night {order.run_date} are not in {night.features}.")
    if order.window == "full":
        return refit(order, prepared, described)
    return evaluate(order, train(order, prepared, described), prepared)
