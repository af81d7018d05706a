"""The command line, `nightrec`. Heavy imports wait until a command needs them."""

import os
import signal
import sys

import click

from flows.cli.answer import answer
from flows.cli.arms import arms
from flows.cli.completing import completion
from flows.cli.copies import mirror, sink
from flows.cli.diagnose import diagnose
from flows.cli.doctor import doctor
from flows.cli.encoding import speak_the_terminals_encoding
from flows.cli.exports import diff, pin, recs, rollback, unpin, verify
from flows.cli.forget import forget
from flows.cli.help import Grouped
from flows.cli.inspect import inspect
from flows.cli.items import item
from flows.cli.longterm import longterm
from flows.cli.metrics import metrics
from flows.cli.models import models, tune
from flows.cli.night import backfill, run, validate
from flows.cli.nights import report, status
from flows.cli.ope import ope
from flows.cli.operate import deploy, serve, server, worker
from flows.cli.plan import plan
from flows.cli.presets import presets
from flows.cli.refilter import refilter
from flows.cli.replay import replay
from flows.cli.rules import rules
from flows.cli.shown import console
from flows.cli.simulate import simulate
from flows.cli.site import demo, init
from flows.cli.ui import ui
from flows.operate.server import quiet_prefect
from flows.operate.server_errors import server_error
from recmodels.compute.memory import in_one_arena
from recmodels.errors import ConfigError, NightrecError
from recmodels.messages import sentence
from tasks.errors import INTERRUPTED, TERMINATED, exit_code
from tasks.store.disk import in_words

PIPE_CLOSED = 141  # as shells say of SIGPIPE
GO_ON = "What was finished is kept: run the same command to go on from there."


@click.group(cls=Grouped, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="nightrec")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and Prefect's own log.")
def nightrec(debug: bool) -> None:
    """Recommendations, computed at night: interactions in, a checked top-k list for every user out.

    Exit codes: 0 published (or published already), 1 the night failed, 2 bad arguments or configuration, 3 the data
    were refused, 4 the result was refused, 5 published, but the champion could not be measured, most models failed or
    an arm has no model, 130 Ctrl-C, 143 SIGTERM.
    """
    in_one_arena()
    quiet_prefect(debug)


class Stopped(BaseException):
    """SIGTERM: as Ctrl-C, it ends what is going on from within, and is no error that anything may catch."""


def main() -> None:
    """Run the command line; an error meant for people becomes one sentence and its exit code."""
    signal.signal(signal.SIGTERM, stop)
    speak_the_terminals_encoding()
    try:
        with in_words():
            check_text(sys.argv[1:])
            nightrec.main(prog_name="nightrec", standalone_mode=False)
    except click.ClickException as error:
        say(mistake(error))
        sys.exit(error.exit_code)
    except click.Abort as abort:
        if isinstance(abort.__cause__, KeyboardInterrupt):
            say(f"stopped by Ctrl-C. {GO_ON}")
        sys.exit(INTERRUPTED)
    except Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending already
        say(f"stopped by SIGTERM. {GO_ON}")
        sys.exit(TERMINATED)
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        text = f"{type(error).__name__}: {error} (`nightrec --debug …` shows where)"
        say(str(error) if isinstance(error, NightrecError) else server_error(error) or text)
        sys.exit(exit_code(error))


def stop(*_: object) -> None:
    raise Stopped


def say(text: str) -> None:
    console(stderr=True).print(
        sentence(f"nightrec: {text}"), style="red", markup=False, highlight=False, soft_wrap=True, emoji=False
    )


def mistake(error: click.ClickException) -> str:
    """What is wrong with a command line, and where its help is."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    message = error.format_message()
    end = "" if message.endswith((".", "?", "!")) else "."
    return f"{message}{end} See {context.command_path if context else 'nightrec'} --help."


def check_text(arguments: list[str]) -> None:
    """Check that arguments are text, as paths and ids in the store are.

    Raises:
        ConfigError: one has bytes that are not UTF-8.
    """
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"The argument '{argument[:40]}' is not UTF-8: write it in UTF-8.") from None


for command in (
    run, inspect, plan, validate, backfill, replay, status, report, arms, ope, longterm, diagnose, simulate, doctor,
    recs, item, answer, verify, diff, rollback, refilter, pin, unpin, forget, mirror, sink,
    models, rules, tune, init, presets, demo, serve, server, ui, deploy, worker,
    completion, metrics,
):  # fmt: skip
    nightrec.add_command(command)


if __name__ == "__main__":
    main()
