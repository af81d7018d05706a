"""A process that replays one night after another: `python -m tasks.replay.worker SPEC.json`.

It reads dates from standard input and answers each with a line of JSON on standard output. When standard input closes,
as it does when whoever started it dies, it ends at once.
"""

import json
import os
import sys
import threading
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from typing import TextIO

from recmodels.errors import NightrecError
from tasks.replay.night import replay_night
from tasks.replay.settings import ReplaySpec
from tasks.store.disk import told
from tasks.store.files import Json
from tasks.store.manifests import finished
from tasks.train.process import in_this_process


def main(spec_file: Path, asked: TextIO, answers: TextIO) -> None:
    """Answer until nothing more is asked."""
    spec = ReplaySpec.model_validate_json(spec_file.read_text(encoding="utf-8"))
    in_this_process.set(True)
    dates: SimpleQueue[date] = SimpleQueue()
    threading.Thread(target=_listen, args=(asked, dates), daemon=True).start()
    while True:
        answers.write(json.dumps(answer(spec, dates.get())) + "\n")
        answers.flush()


def answer(spec: ReplaySpec, run_date: date) -> Json:
    """What becomes of a night, whatever that is."""
    try:
        valid = finished(spec.data.valid)
        if valid is None:
            raise NightrecError(f"The tables of the replay are not in {spec.data.valid}: run it again.")
        return replay_night(spec, run_date, valid)
    except Exception as error:
        return {"run_date": str(run_date), "status": "failed", "reason": told(error) or str(error) or repr(error)}


def _listen(asked: TextIO, dates: "SimpleQueue[date]") -> None:
    for line in asked:
        dates.put(date.fromisoformat(line.strip()))
    os._exit(0)


if __name__ == "__main__":
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever models print goes to the log
    main(Path(sys.argv[1]), sys.stdin, own)
