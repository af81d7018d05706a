"""What `nightrec --help` says of the commands: their groups, a line about each, and examples to copy."""

from typing import NamedTuple

import click


class About(NamedTuple):
    """A command in the list of all, and examples of it, each with what it does."""

    summary: str
    examples: tuple[tuple[str, str], ...]


GROUPS: dict[str, dict[str, About]] = {
    "To begin": {
        "inspect": About(
            "Look into files, and get the command that runs on them.",
            (("nightrec inspect data/", "what the files of a folder are, and what would be refused"),),
        ),
        "run": About(
            "Run one night; without inputs on a demo site.",
            (
                ("nightrec run", "a night on the demo site, or on what nightrec.toml names"),
                ("nightrec run --interactions log.csv --items items.csv", "on your own files"),
                ("nightrec run --date 2026-02-28 --dry-run", "train and compare, and publish nothing"),
                ("nightrec run --force-model ease", "publish this model, whatever the gate says"),
            ),
        ),
        "init": About("Write nightrec.toml with every setting.", (("nightrec init", "write ./nightrec.toml"),)),
        "plan": About(
            "Say what time, memory and disk a night takes.",
            (
                ("nightrec plan", "the next one of this site"),
                ("nightrec plan --interactions 100M --users 1M --items 200k", "from counts alone"),
                ("nightrec plan --memory 8GiB --cores 4", "on another machine"),
            ),
        ),
        "presets": About(
            "List public data sets that are read by name.",
            (
                ("nightrec presets movielens", "its files, and the command to run"),
                ("nightrec presets mind --prepare MIND", "make the tables that it needs"),
            ),
        ),
        "demo": About(
            "Write an invented site's tables.",
            (
                ("nightrec demo data --users 1000 --format csv", "small tables, as CSV"),
                ("nightrec demo data --domains 2", "books and films, with users in common"),
                ("nightrec demo data --react store", "the day on which its users see the store's lists"),
            ),
        ),
    },
    "Nights": {
        "validate": About(
            "Read and check the inputs, and stop there.",
            (("nightrec validate --interactions log.csv", "what became of each file, column and row"),),
        ),
        "backfill": About(
            "Run the nights of a range.",
            (
                ("nightrec backfill --from 2026-02-01 --to 2026-02-28", "a month; the newest night is published"),
                ("nightrec backfill --from 2026-02-01 --to 2026-02-28 --parallel 4", "four nights at a time"),
            ),
        ),
        "replay": About(
            "Hold models against a site's past.",
            (
                ("nightrec replay --from 2026-01-01 --to 2026-03-01 --every 7", "a night a week, all models"),
                ("nightrec replay --from 2026-01-01 --to 2026-03-01 --models als,ease --horizon 14", "two weeks ahead"),
            ),
        ),
        "status": About(
            "Show the last nights, and what went wrong.",
            (
                ("nightrec status --last 30", "the last thirty nights"),
                ("nightrec status --json | jq .nights[-1].status", "how the newest night ended, for a script"),
            ),
        ),
        "report": About(
            "Write the report of a night again.",
            (("nightrec report --date 2026-02-28 --open", "of that night, in the browser"),),
        ),
        "ope": About(
            "Say what models would have earned.",
            (
                ("nightrec ope", "all models that the log knows, and a verdict on each"),
                ("nightrec ope als ease --days 14", "two of them, by the last two weeks"),
                ("nightrec ope --policy mine.parquet --json", "a policy of your own, for a script"),
            ),
        ),
        "arms": About(
            "Compare the arms, or plan one.",
            (
                ("nightrec arms", "what the lists of each arm did, against main"),
                ("nightrec arms plan", "which differences arms of which size would show, and when"),
                ("nightrec arms plan --effect 0.03", "how long arms take to show 3%"),
                ("nightrec arms plan --share 0.1 --days 28", "what 10% of the users show in four weeks"),
            ),
        ),
        "longterm": About(
            "Foretell who stays, and the effect of arms.",
            (
                (
                    "nightrec longterm",
                    "which early signals tell who is active in a month, and what arms will have done",
                ),
                ("nightrec longterm --outcome visits14 --arm holdback", "days active in two weeks, of one arm"),
                ("nightrec longterm --surrogates diversity,return_3", "by these early signals alone"),
            ),
        ),
        "simulate": About(
            "Say what a switch would do over many nights.",
            (
                ("nightrec simulate --from-store", "the site's own users and candidates, a hundred nights"),
                ("nightrec simulate --from-store --nights 30 --policies als", "als against what is published"),
                ("nightrec simulate --policies als,ease,random", "on an invented market"),
                ("nightrec simulate --from-store --name trial --fresh", "once more from the beginning"),
            ),
        ),
        "diagnose": About(
            "Say whether the order of histories foretells anything.",
            (
                ("nightrec diagnose", "what foretells a user's next item, by the newest night's log"),
                ("nightrec diagnose --date 2026-02-28 --json", "by an earlier night's, for a script"),
            ),
        ),
        "models": About("List the recommenders, or explain one.", (("nightrec models als", "all about als"),)),
        "rules": About(
            "Show what rules of the lists cost and bring.",
            (
                ("nightrec rules", "by the last night's model: calibration, damped popularity, diversity"),
                ("nightrec rules --try calibration=0.2,0.4 --try max_per_category=2,3", "these rules and values"),
                ("nightrec rules --try 'exposure.least.Small=0.02,0.05'", "of a column that export.exposure names"),
            ),
        ),
        "tune": About(
            "Search a model's hyper-parameters.",
            (("nightrec tune ease --minutes 10 --write ease.toml", "for ten minutes, the best into a file"),),
        ),
    },
    "Lists": {
        "recs": About(
            "Show a user's list, with titles and reasons.",
            (
                ("nightrec recs u000007", "of the demo site"),
                ("nightrec recs u000007 --date 2026-02-28 --json", "as it was that night, for a script"),
            ),
        ),
        "item": About(
            "Show who gets an item, and why it is not shown.",
            (
                ("nightrec item 1003", "by its id"),
                ("nightrec item 'gate for' --json", "by a part of its title, for a script"),
            ),
        ),
        "answer": About(
            "Answer for a session, with tonight's model.",
            (("nightrec answer u000007 --history 1003,2311", "with what was seen since"),),
        ),
        "ui": About("Look at nights, users and items in the browser.", (("nightrec ui", "prints the link to open"),)),
        "verify": About("Check an export against its contract.", (("nightrec verify", "the current one"),)),
        "diff": About(
            "Show what changed between two exports.",
            (("nightrec diff 2026-02-27 2026-02-28", "users, lists, and the items that moved most"),),
        ),
        "rollback": About(
            "Point readers at an earlier export.",
            (
                ("nightrec rollback", "to the one before"),
                ("nightrec rollback --to 2026-02-27", "to that night's newest export"),
            ),
        ),
        "refilter": About(
            "Publish again without what is sold out.",
            (("nightrec refilter --items now.csv", "with the catalogue as it is now"),),
        ),
        "pin": About("Keep an export, however old it grows.", (("nightrec pin 2026-02-28", "that night's newest"),)),
        "unpin": About("Let a pinned export grow old.", (("nightrec unpin 2026-02-28", "that night's"),)),
        "mirror": About("Bring the copy of the exports up to date.", (("nightrec mirror", "to mirror.to"),)),
        "sink": About("Load the current export into databases.", (("nightrec sink redis", "this one of [sinks]"),)),
        "forget": About("Remove a user from everywhere.", (("nightrec forget u000007", "of the demo site"),)),
    },
    "Every night by itself": {
        "serve": About("Start a server, workers and the schedule here.", (("nightrec serve", "and open the link"),)),
        "server": About("Run the server alone, as services do.", (("nightrec server", "in the foreground"),)),
        "worker": About(
            "Run the flows of a work pool.",
            (("nightrec worker gpu --gpu 0", "on the first GPU"),),
        ),
        "deploy": About(
            "Create or update a site's deployments.",
            (("nightrec deploy --config nightrec.toml", "on the server at PREFECT_API_URL"),),
        ),
        "doctor": About(
            "Say what is wrong with a site, and mend it.",
            (("nightrec doctor", "only look"), ("nightrec doctor --fix", "put right what can be")),
        ),
        "metrics": About(
            "Print the site's metrics for Prometheus.",
            (
                ("nightrec metrics", "as they are now"),
                ("nightrec metrics --file nightrec.prom", "for the textfile collector"),
            ),
        ),
        "completion": About(
            "Print what completes commands in your shell.",
            (('eval "$(nightrec completion bash)"', "for this shell; in ~/.bashrc for all"),),
        ),
    },
}
OTHERS = "Further commands"


class Grouped(click.Group):
    """A group of commands whose help lists them by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = [name for group in GROUPS.values() for name in group]
        others = [name for name in self.commands if name not in known]
        named = {title: list(group) for title, group in GROUPS.items()}
        for title, names in [*named.items(), (OTHERS, others)]:
            rows = [(name, self.commands[name].get_short_help_str(limit=70)) for name in names if name in self.commands]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        if about := about_of(name or cmd.name or ""):
            cmd.short_help = about.summary
            cmd.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples(about))
        super().add_command(cmd, name)


def about_of(name: str) -> About | None:
    """What is said of a command; None where nothing is."""
    return next((group[name] for group in GROUPS.values() if name in group), None)


def examples(about: About) -> list[str]:
    """Lines to copy, each with what it does."""
    width = max(len(line) for line, _ in about.examples)
    if width + max(len(what) for _, what in about.examples) > 72:  # one below the other
        return [text for line, what in about.examples for text in (f"# {what}", line)]
    return [f"{line:<{width}}  # {what}" for line, what in about.examples]
