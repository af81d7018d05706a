"""A sink of one's own that nodes load: a folder of the lists for each export, and a file that names the current one."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from tasks.publish.sinks.file_sink import FileSink
from tasks.publish.sinks.settings import address
from tasks.publish.sinks.source import Published, PublishedFile, Tally


class JsonFiles(FileSink):
    """Writes `<folder>/<version>/<name>.jsonl`, a row a line, and then `<folder>/latest`."""

    folder_env: str = Field(description="Environment variable with the folder, which all nodes see.")

    def begin(self, published: Published) -> dict[str, Any]:
        (Path(address(self.folder_env)) / published.version).mkdir(exist_ok=True)
        return {"version": published.version}

    def load_file(self, file: PublishedFile, begun: dict[str, Any]) -> dict[str, Any]:
        sent, target = Tally(), Path(address(self.folder_env)) / begun["version"] / f"{file.name}.jsonl"
        lines = [json.dumps(row, default=str) for rows in file.rows() for row in sent.add(rows).to_pylist()]
        target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return sent.proof()

    def finish(
        self, published: Published, begun: dict[str, Any], arrived: dict[str, list[dict[str, Any]]]
    ) -> dict[str, dict[str, Any]]:
        folder = Path(address(self.folder_env))
        (folder / ".latest").write_text(begun["version"])
        (folder / ".latest").replace(folder / "latest")
        return super().finish(published, begun, arrived)
