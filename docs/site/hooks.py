"""Adds to the site what is not a file of `docs/`: the reference, and the pages at the top of the repository."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from docs.site.reference import PAGES

ROOT = Path(__file__).parents[2]
AT_THE_TOP = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_files(files: Files, config: Any) -> Files:
    for path, page in PAGES.items():
        files.append(File.generated(config, path, content=page()))
    for path, source in AT_THE_TOP.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, path, content=re.sub(r"\]\(docs/", "](", text)))
    return files
