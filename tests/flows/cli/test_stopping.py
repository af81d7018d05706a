"""SIGTERM ends a command with a sentence and the exit code that schedulers know."""

import os
import signal
from collections.abc import Iterator

import pytest

from flows.cli import app


@pytest.fixture
def handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("handlers")
def test_a_command_that_is_told_to_stop_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[str] = []

    def command(**_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:
            ended.append("swallowed")
        finally:
            ended.append("in order")

    monkeypatch.setattr(app.nightrec, "main", command)
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert stopped.value.code == 143
    assert ended == ["in order"]
    said = capsys.readouterr().err
    assert said == "nightrec: stopped by SIGTERM. What was finished is kept: the same command goes on from there.\n"
