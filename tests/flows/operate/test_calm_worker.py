"""What a worker says, and how often."""

import logging

import pytest

from flows.operate import calm_worker
from flows.operate.calm_worker import MOST, Once, in_a_sentence


def line(text: str, name: str = "prefect.flow_runs.worker") -> logging.LogRecord:
    return logging.LogRecord(name, logging.INFO, __file__, 1, text, None, None)


def test_a_line_that_lasts_is_said_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    once, now = Once(), 5000.0
    monkeypatch.setattr(calm_worker.time, "monotonic", lambda: now)
    waits = "Worker 'cpu' submitting flow run '42'"
    assert [once.filter(line(waits)) for _ in range(3)] == [True, False, False]
    assert once.filter(line(waits.replace("42", "43"))) and once.filter(line(waits, "prefect.other"))
    assert once.filter(line("Worker has not polled in the last 61.5 seconds"))
    assert not once.filter(line("Worker has not polled in the last 91.7 seconds"))
    now += 3601
    assert once.filter(line(waits))


def test_what_was_said_is_not_remembered_for_ever() -> None:
    once = Once()
    for number in range(MOST + 10):
        assert once.filter(line(f"run {number}"))
    assert len(once.said) == MOST and not once.filter(line(f"run {MOST}"))


def test_a_server_that_is_away_is_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    printed: list[str] = []
    say = in_a_sentence(printed.append)
    for text in (
        "Worker 'cpu' started!",
        "\nFailed the last 3 attempts. Please check your environment and configuration.",
        "Examples of recent errors:\n",
        "Traceback (most recent call last):\n  File x\nhttpx.ConnectError: All connection attempts failed\n",
        "Backing off due to consecutive errors, using increased interval of  20s.",
        "Resetting backoff due to successful run.",
    ):
        say(text)
    say()
    assert printed == ["Worker 'cpu' started!"]
    assert [record.getMessage() for record in caplog.records] == [
        "Prefect's server does not answer. The worker goes on asking.",
        "Prefect's server answers again.",
    ]
