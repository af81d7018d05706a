"""A night's report, taken apart to be shown within a page."""

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

STYLE = re.compile(r"<head>.*?<style>(.*?)</style>", re.DOTALL)
MAIN = re.compile(r"<main[^>]*>(.*)</main>", re.DOTALL)


@dataclass(frozen=True)
class Report:
    """The style and the content of a report, which were escaped when it was written; the page runs no scripts."""

    style: Markup
    content: Markup


def report_parts(path: Path) -> Report | None:
    """The parts of a report; None where the file is not one, or is cut short."""
    text = path.read_text(encoding="utf-8", errors="replace")
    style, main = STYLE.search(text), MAIN.search(text)
    if style is None or main is None:
        return None
    return Report(Markup(style[1]), Markup(main[1]))
