"""A path for several files: what a table can be given as, so that it reads these and no others."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.files import find
from tasks.ingest.reading.inputs import TableInput


def path_of(files: Sequence[Path], given: Sequence[str], empty: Collection[Path] = ()) -> str | None:
    """The simplest path that names some files and no others but `empty` ones; None if there is none.

    It is one as given, a folder, or a glob.
    """
    wanted = set(files)
    for path in _candidates(files, given):
        try:
            if {file.path for file in find("inspect", TableInput(path=path)).read} - set(empty) == wanted:
                return path
        except (ConfigError, DataRefused):
            continue
    return None


def _candidates(files: Sequence[Path], given: Sequence[str]) -> Iterator[str]:
    if len(files) == 1:
        yield str(files[0])
        return
    yield from given
    folder = Path(os.path.commonpath([file.parent for file in files]))
    yield str(folder)
    root = glob.escape(str(folder))
    stems = [file.name.lstrip("._") for file in files]
    stem = _common(stems)
    end = _common([name[::-1] for name in stems])[::-1]
    letters = re.match(r"[^\W\d_]*", stem)
    for start in dict.fromkeys((stem, letters.group() if letters else "")):
        for ending in dict.fromkeys((end[end.find(".") :] if "." in end else "", end)):
            yield f"{root}/{glob.escape(start)}*{glob.escape(ending)}"
            yield f"{root}/**/{glob.escape(start)}*{glob.escape(ending)}"


def _common(texts: Sequence[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts), max(texts)
    same = next((place for place, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[:same]
