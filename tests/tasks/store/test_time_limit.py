"""A stage that hangs is given up in a sentence; what does not listen even then is ended."""

import os
import signal
import threading
import time

import pytest

from tasks.store import time_limit
from tasks.store.time_limit import GivenUp, limiting, timed

SHORT = 0.02 / 3600  # hours


def test_a_stage_that_hangs_is_given_up_and_later_ones_go_on() -> None:
    before = signal.getsignal(time_limit.SIGNAL)
    late = r"^The stage ingest was given up after .* hours \(schedule.stage_hours\): see"
    with pytest.raises(GivenUp, match=late), limiting(SHORT), timed("ingest"):
        time.sleep(30)
    assert signal.getsignal(time_limit.SIGNAL) == before
    with limiting(1), timed("validate"):
        pass


def test_a_stage_that_hangs_in_another_thread_ends_the_wait_for_it() -> None:
    never = threading.Event()

    def stage() -> None:
        with timed("features"):
            never.wait(30)

    with pytest.raises(GivenUp, match="The stage features"), limiting(SHORT):
        from contextvars import copy_context

        thread = threading.Thread(target=copy_context().run, args=(stage,), daemon=True)
        thread.start()
        thread.join(30)
    never.set()


def test_trainings_and_stages_outside_a_night_have_no_limit_here() -> None:
    with limiting(1e-9), timed("train"), timed("refit"):
        time.sleep(0.01)
    with timed("ingest"):
        time.sleep(0.01)


def test_a_process_that_cannot_be_interrupted_is_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(time_limit, "GRACE", 0.01)
    monkeypatch.setattr(os, "_exit", lambda code: ended.set() if code == 1 else None)
    with limiting(SHORT), timed("export"):
        try:
            time.sleep(30)
        except GivenUp:  # as where it is caught by somebody else, or the main thread waits in a library
            assert ended.wait(30)
    assert "nightrec: The stage export was given up" in capsys.readouterr().err
