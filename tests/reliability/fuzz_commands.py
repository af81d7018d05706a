"""Command lines of every command and option, with values of every kind."""

import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

import click

from flows.cli.app import nightrec
from recmodels.errors import NightrecError
from tests.flows import sites
from tests.reliability import fuzz_bytes
from tests.reliability.fuzz_case import Case, Ended, command_line

STARTED = {  # what begins once all that was given is right: a server, a night, a search, a site of any size
    "run": "flows.in_process.run_in_process",
    "backfill": "tasks.store.locking.held",
    "replay": "flows.replay.replaying",
    "validate": "flows.operate.server.embedded_server",
    "serve": "flows.operate.local_stack.serve",
    "server": "flows.operate.lasting_server.serve",
    "ui": "flows.operate.pages_server.show",
    "deploy": "flows.operate.server_ready.wait_for_server",
    "worker": "flows.operate.worker.work",
    "tune": "tasks.train.tuning.tune",
    "demo": "recmodels.demo.write_site",
}
ORDINARY = [
    "log.csv", "store", "nightrec.toml", "2024-03-01", "2024-02-01", "2024-03-01.2", "u01", "als", "ease,als",
    "movielens", "user_id=user_id", "1", "2", "7", "new", "none", "all", "csv", ".", "user_id,item_id,timestamp",
    "process",
]  # fmt: skip
CONFIG = b'[inputs.interactions]\npath = "log.csv"\n'


class Reached(NightrecError):
    """All that was given is right, and the work would begin."""


class Commands:
    """A command with arguments and options that are right, wrong, odd, doubled or missing."""

    codes = frozenset({0, 2, 3})

    def make(self, chance: Random) -> Case:
        name = chance.choice(sorted(nightrec.commands))
        arguments = [name if chance.random() < 0.97 else _word(chance)]
        for parameter in nightrec.commands[name].params:
            likely = 0.9 if isinstance(parameter, click.Argument) or parameter.required else 0.12
            if chance.random() < likely:
                arguments += _given(parameter, chance)
        if chance.random() < 0.1:
            arguments.insert(chance.randrange(len(arguments) + 1), _word(chance))
        arguments = [each for each in arguments if "\0" not in each]  # which no system passes on
        return Case({"log.csv": sites.log().encode(), "nightrec.toml": CONFIG}, tuple(arguments))

    def prepare(self, folder: Path) -> None:
        """Nothing more than the files is needed."""

    def run(self, case: Case, folder: Path) -> Ended:
        with _held_back():
            ended = command_line(case.arguments)
        found_ill = ended.code == 1 and case.arguments[0] == "doctor" and ended.out
        return Ended(0, ended.out) if Reached.__name__ in ended.err or found_ill else ended


def _given(parameter: click.Parameter, chance: Random) -> list[str]:
    """An argument or an option as it is written, with a value if it takes one."""
    if isinstance(parameter, click.Argument):
        return [_word(chance) for _ in range(chance.randint(1, 2) if parameter.nargs == -1 else 1)]
    assert isinstance(parameter, click.Option)
    name = chance.choice(parameter.opts)
    if parameter.is_flag or parameter.name == "help":
        return [name]
    value = _word(chance)
    if isinstance(parameter.type, click.Choice) and chance.random() < 0.7:
        value = chance.choice([str(one) for one in parameter.type.choices])
    return [f"{name}={value}"] if chance.random() < 0.2 else [name, value]


def _word(chance: Random) -> str:
    return chance.choice(ORDINARY) if chance.random() < 0.6 else fuzz_bytes.text(chance)


@contextmanager
def _held_back() -> Iterator[None]:
    """Start nothing, and open no browser."""

    def started(*_: object, **__: object) -> None:
        raise Reached(Reached.__name__)

    with ExitStack() as stack:
        for name in STARTED.values():
            stack.enter_context(patch(name, started))
        stack.enter_context(patch.object(webbrowser, "open", return_value=True))
        yield
