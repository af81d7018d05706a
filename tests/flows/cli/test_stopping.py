"""SIGTERM ends a command with a sentence and the exit code that schedulers know."""

import os
import signal
import sys
from collections.abc import Iterator

import click
import pytest

from flows.cli import app
from flows.operate.worker import StopWorking


@pytest.fixture
def handlers() -> Iterator[None]:
    """Those of Python, whatever this process was started with: in the background a shell ignores Ctrl-C."""
    before = {sent: signal.getsignal(sent) for sent in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for sent, handler in before.items():
        signal.signal(sent, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_command_that_is_told_to_stop_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sent: signal.Signals, code: int
) -> None:
    ended: list[str] = []

    @click.command()
    def command() -> None:
        try:
            os.kill(os.getpid(), sent)
        except Exception:
            ended.append("swallowed")
        finally:
            ended.append("in order")

    monkeypatch.setattr(app.nightrec, "main", command.main)
    monkeypatch.setattr(sys, "argv", ["nightrec"])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert stopped.value.code == code
    assert ended == ["in order"]
    name = "Ctrl-C" if sent == signal.SIGINT else "SIGTERM"
    said = capsys.readouterr().err.lstrip("\n")
    assert (
        said == f"nightrec: stopped by {name}. What was finished is kept: run the same command to go on from there.\n"
    )


@pytest.mark.parametrize("signal_of", [app.Stopped, StopWorking])
def test_a_signal_is_no_error_that_a_library_may_catch(signal_of: type[BaseException]) -> None:
    assert not issubclass(signal_of, Exception)
