"""Seconds an epoch of RecTools' SASRec, in its own environment: `PYTHON peers_sequences.py FOLDER PARAMETERS EPOCHS`.

Run by `tests.benchmarks.epochs`, whose arrays lie in FOLDER, the items of each user in order of time; imports nothing
of ours. An epoch is all that Lightning does between its start and its end: making the batches, and the steps.
"""

import json
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Clock(Callback):
    """Seconds of each epoch."""

    def __init__(self):
        self.began, self.seconds = 0.0, []

    def on_train_epoch_start(self, trainer, module):
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer, module):
        self.seconds.append(time.perf_counter() - self.began)


def timed(epochs):
    """RecTools' default trainer, on the processor and with a clock."""
    quiet = {f"enable_{part}": False for part in ("checkpointing", "progress_bar", "model_summary")} | {"logger": False}
    return Trainer(accelerator="cpu", devices=1, min_epochs=epochs, max_epochs=epochs, callbacks=[Clock()], **quiet)


def main():
    """Print the seconds of each epoch, the targets of one, and the most memory that this process has held."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")  # advice to make batches in more processes, and to log to something
    folder, parameters, epochs = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
    user, item = np.load(folder / "user.npy"), np.load(folder / "item.npy")
    frame = pd.DataFrame({Columns.User: user, Columns.Item: item, Columns.Weight: 1.0})
    site = Dataset.construct(frame.assign(**{Columns.Datetime: pd.to_datetime(np.arange(len(frame)), unit="s")}))
    torch.manual_seed(0)
    model = SASRecModel(**parameters, get_trainer_func=timed, get_trainer_func_kwargs={"epochs": epochs})
    model.fit(site)
    clock = next(part for part in model.fit_trainer.callbacks if isinstance(part, Clock))  # of the copy that fit made
    targets = sum(len(session) - 1 for session in model.fit_trainer.train_dataloader.dataset.sessions)
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    print(json.dumps({"seconds": clock.seconds, "targets": targets, "peak": peak, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
