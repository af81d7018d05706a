"""The tables that commands print, each no wider than the terminal: what matters least is left out, and said to be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flows.cli.night_json import is_latest, standing
from tasks.evaluate.summary import Figure
from tasks.offpolicy.values import HEADINGS, OffPolicySummary
from tasks.offpolicy.values import table as table_of
from tasks.report.record import NightRecord, NightStatus, best_first
from tasks.store.files import Json
from tasks.store.records import Pointer
from tasks.train.settings import PRIMARY

STYLES = {"skipped": "dim", "failed": "red", "note": "yellow"}
EDGES = 3  # characters that a column takes besides its text
NARROWEST = 12  # of a column whose text goes on in further lines


@dataclass(frozen=True)
class Column:
    """A column of a table.

    `keep`: those with the smallest are the first to be left out; None: never. `folds`: its texts may take lines.
    """

    heading: str
    keep: int | None = None
    right: bool = False
    folds: bool = False


def fitted(
    console: Console, title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], styles: Sequence[str | None]
) -> Table:
    """A table with as many of the columns as there is room for; cells are markup."""
    texts = [[Text.from_markup(cell) for cell in row] for row in rows]
    widths = [
        max([cell_len(column.heading), *(cell_len(row[n].plain) for row in texts)]) for n, column in enumerate(columns)
    ]
    taken = [min(width, NARROWEST) if column.folds else width for width, column in zip(widths, columns, strict=True)]
    shown = _kept(columns, taken, console.width)
    left_out = [column.heading for n, column in enumerate(columns) if n not in shown]
    caption = f"left out for want of room: {', '.join(left_out)}" if left_out else None
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for n in shown:
        column = columns[n]
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            overflow="fold",
            min_width=None if column.folds else min(taken[n], console.width - EDGES - 1),
        )
    for row, style in zip(texts, styles, strict=True):
        table.add_row(*(row[n] for n in shown), style=style)
    return table


def off_policy(console: Console, found: OffPolicySummary) -> Table:
    """What each policy would have earned, candidates first."""
    shown = HEADINGS[:-1]  # why is in the sentences below
    keep = {"interval": 1, "worth": 2, "largest weight": 0}
    columns = [Column(name, keep.get(name), right=name in ("value", "worth", "largest weight")) for name in shown]
    rows = [row[: len(shown)] for row in table_of(found)]
    styles = [{"doubt": "yellow", "refuse": "red"}.get(row[HEADINGS.index("verdict")]) for row in rows]
    return fitted(console, "Off-policy values", columns, [[escape(cell) for cell in row] for row in rows], styles)


def simulated_policies(console: Console, verdict: Json) -> Table:
    """What policies come to: the figures of that which the others are compared with, and by how much theirs differ."""
    from tasks.simulate.table import HEADINGS, rows

    keep = {"variety": 1, "items alive": 2, "CPU s a night": 0, "chance to come": 3}
    words = (HEADINGS[0], HEADINGS[-1])
    columns = [Column(name, keep.get(name), right=name not in words, folds=name == words[1]) for name in HEADINGS]
    cells = [[escape(cell) for cell in row] for row in rows(verdict)]
    styles = ["bold" if row[0] == verdict["reference"] else "red" if row[-1] == "failed" else None for row in cells]
    title = f"{verdict['nights']:,} nights, beside {verdict['reference']}"
    return fitted(console, title, columns, cells, styles)


def _kept(columns: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """The places of the columns that fit side by side."""
    shown = list(range(len(columns)))
    by_worth = sorted((column.keep, n) for n, column in enumerate(columns) if column.keep is not None)
    for _, n in by_worth:
        if sum(widths[one] + EDGES for one in shown) + 1 <= room:
            break
        shown.remove(n)
    return shown


def comparison(console: Console, record: NightRecord) -> Table:
    """The candidates, best first."""
    metrics = {"recall": "recall", "precision": "precis.", "hit_rate": "hit rate", "map": "MAP", "mrr": "MRR"}
    metrics |= {"coverage": "coverage"}
    worth = {"precision": 0, "mrr": 1, "map": 2, "hit_rate": 3, "recall": 5, "coverage": 6}
    columns = [Column("model"), Column(f"NDCG@{record.k}", right=True), Column("interval", keep=7)]
    columns += [Column(heading, worth[metric], right=True) for metric, heading in metrics.items()]
    columns += [Column("backtests", keep=4)] if record.backtests else []
    rows, styles = [], []
    for name, figures in best_first(record.models, PRIMARY):
        cells = [escape(name), f"{figures[PRIMARY].value:.4f}", interval(figures[PRIMARY])]
        cells += [f"{figures[metric].value:.4f}" if metric in figures else "" for metric in metrics]
        if record.backtests:
            found = record.backtests.get(name)
            spread = "" if found is None or found.spread is None else f" ± {found.spread:.4f}"
            cells.append(f"{found.mean:.4f}{spread}" if found else "")
        rows.append(cells)
        styles.append("bold green" if name == record.winner else None)
    for name in record.failed:  # the stages say why
        rows.append([escape(name), "failed", *[""] * (len(columns) - 2)])
        styles.append("red")
    return fitted(console, f"Models, measured on {record.measured_on}", columns, rows, styles)


def nights_table(console: Console, records: list[NightRecord], pointer: Pointer | None) -> Table:
    """The last nights, newest last; the one that readers are pointed to is marked."""
    columns = [
        Column("night"), Column("status", keep=6), Column("winner"), Column("gate", keep=4, folds=True),
        Column("NDCG", keep=5, right=True), Column("users", keep=1, right=True), Column("rows", keep=0, right=True),
        Column("seconds", keep=3, right=True),
    ]  # fmt: skip
    rows = []
    for record in records:
        failed, gate, stands = record.status is NightStatus.FAILED, record.gate, standing(record, pointer)
        verdict = "" if gate is None else "refused" if gate.refused and failed else gate.verdict.value
        ndcg = record.winner_figures.get(PRIMARY)
        counts = ["" if count is None else f"{count:,}" for count in (record.users, record.rows)]
        troubled = record.warnings or record.later or record.sink_failures
        color = ("yellow" if troubled else "green") if stands == NightStatus.PUBLISHED.value else "red"
        rows.append(
            [
                f"{record.run_date}{' (latest)' if is_latest(record, pointer) else ''}",
                f"[{color}]{stands}[/]",
                escape(record.winner or ""),
                verdict,
                f"{ndcg.value:.4f}" if ndcg else "",
                *counts,
                "" if record.seconds is None else f"{record.seconds:.0f}",
            ]
        )
    return fitted(console, "Nights", columns, rows, [None] * len(rows))


def what_went_wrong(records: list[NightRecord]) -> list[str]:
    """A line for all that went wrong in the nights, and what did not keep one from publishing."""
    lines = []
    for record in records:
        wrong = [*record.warnings, *(f"{name}: {why}" for name, why in record.failed.items())]
        if record.status in (NightStatus.FAILED, NightStatus.INTERRUPTED):
            wrong = [record.reason or record.status.value]
        wrong += record.sink_failures
        wrong += [f"run again, and {one.status}: {one.reason}" for one in record.later if one.reason]
        lines += [f"{record.run_date}: {text}" for text in wrong]
    return lines


def explored(records: list[NightRecord]) -> list[str]:
    """A line for the last night, where it explored."""
    last = records[-1:]
    return [f"{record.run_date}: {record.exploration.sentence}" for record in last if record.exploration]


def effect_of_rules(console: Console, records: list[NightRecord]) -> Table | None:
    """What the rules of the lists changed in the winners' figures; None where no night had any."""
    found = [
        (record.run_date, winner, reranking.named())
        for record in records
        if (winner := record.winner) is not None and (reranking := record.reranking.get(winner))
    ]
    worth = {"NDCG": 5, "diversity": 1, "coverage": 3}
    further = [label for _, _, figures in found for label in figures if label not in worth]
    labels = [*worth, *dict.fromkeys(further)]
    columns = [Column("night"), Column("winner")]
    for label in labels:
        keep = worth.get(label, 0)
        columns += [Column(f"{label} without", keep, right=True), Column(f"{label} with", keep, right=True)]
    rows = []
    for run_date, winner, figures in found:
        pairs = [value for label in labels for value in figures.get(label, (None, None))]
        rows.append([run_date, escape(winner), *("" if value is None else f"{value:.4f}" for value in pairs)])
    return fitted(console, "Rules of the lists", columns, rows, [None] * len(rows)) if rows else None


def interval(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else escape(f"[{figure.low:.4f}, {figure.high:.4f}]")


def stages(console: Console, record: NightRecord) -> Table:
    """How long each stage of the night took."""
    columns = [Column("stage"), Column("seconds", right=True), Column("", folds=True)]
    rows = [
        [escape(one.stage), "before" if one.event == "skipped" else f"{one.seconds:.1f}", escape(one.message)]
        for one in record.stages
    ]
    return fitted(console, "Stages", columns, rows, [STYLES.get(one.event) for one in record.stages])


def recommendations(console: Console, user_id: object, rows: list[dict[str, Any]]) -> Table:
    """One user's list with titles and reasons."""
    from recmodels.experiments.assignment import MAIN
    from tasks.export.origins import made_by
    from tasks.store.feedback import EXPLORE

    first = rows[0]
    arm = f", arm {first['arm']}" if first.get("arm", MAIN) != MAIN else ""
    title = f"For user {escape(str(user_id))}, by {made_by(rows)} ({first['run_date']}{arm})"
    columns = [
        Column("", right=True), Column("item", folds=True), Column("title", folds=True),
        Column("score", keep=0, right=True), Column("because of", keep=1, folds=True),
    ]  # fmt: skip
    cells = [
        [
            str(row["rank"]),
            escape(str(row["item_id"])),
            escape(row["title"] or ""),
            f"{row['score']:.4f}",
            "drawn to explore" if row.get("policy") == EXPLORE else escape(_because(row)),
        ]
        for row in rows
    ]
    return fitted(console, title, columns, cells, [None] * len(cells))


def _because(row: dict[str, Any]) -> str:
    """Why an item is in the list, as far as its model can tell."""
    if row.get("reason_column"):
        return f"its {row['reason_column'].replace('.', ': ')}"
    reason = row["reason_title"] or row["reason_item_id"]
    if reason is None:
        return "popular" if row["source"] == "cold" else ""
    return f"{reason} ({', '.join(row['reason_terms'])})" if row["reason_terms"] else str(reason)
