"""What a simulation shows in Prefect's UI."""

import os
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.report import UI_VARIABLE
from tasks.simulate.table import HEADINGS, rows, sentences
from tasks.store.files import read_json
from tasks.store.simulations import Simulation


def show_verdict(simulation: Simulation) -> None:
    """A row a policy below a sentence each, and where the page is."""
    verdict = read_json(simulation.verdict) or {}
    table: list[dict[str, Any]] = [dict(zip(HEADINGS, row, strict=True)) for row in rows(verdict)]
    create_table_artifact(key="simulation", table=table, description=" ".join(sentences(verdict)))
    base = os.environ.get(UI_VARIABLE, "").rstrip("/")
    link = f"[Open it]({base}/simulations/{simulation.name}). " if base.startswith(("http://", "https://")) else ""
    text = (
        f"# Simulation {simulation.name}\n\n{link}The page is `{simulation.page.absolute()}`, with its figures as "
        f"`{simulation.verdict.name}`.\n\nOn a machine that sees the store: `nightrec ui --store "
        f"{simulation.store.root}`.\n"
    )
    create_markdown_artifact(key="simulation-page", markdown=text, description="Where the verdict is")
