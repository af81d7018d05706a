"""A sink of one's own: the current lists as JSON lines in a folder, which another system picks up."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from tasks.publish.sinks.settings import address
from tasks.publish.sinks.sink import Sink
from tasks.publish.sinks.source import Published, Tally


class JsonLines(Sink):
    """Writes `<folder>/<table>.jsonl`, a row a line."""

    folder_env: str = Field(description="Environment variable with the folder.")
    tables: list[str] = Field(default=["topk"], min_length=1, description="Which tables are written.")

    def load(self, published: Published) -> dict[str, dict[str, Any]]:
        folder, proofs = Path(address(self.folder_env)), {}
        for table in set(self.tables) & set(published.tables):
            sent, unfinished = Tally(), folder / f".{table}.jsonl"
            with unfinished.open("w", encoding="utf-8") as file:
                for rows in published.rows(table):  # in batches: memory does not grow with the number of users
                    for row in sent.add(rows).to_pylist():
                        file.write(json.dumps(row, default=str) + "\n")
            unfinished.replace(folder / f"{table}.jsonl")  # readers see the old file or the new one
            proofs[table] = sent.proof()
        return proofs
