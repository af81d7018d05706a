"""Text as a terminal shows it: what would command the terminal, or cannot be printed, is escaped."""

import json
import sys
from typing import Any

import click
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

from flows.cli.encoding import unicode
from recmodels.messages import in_json, visible


def echo(text: str = "", *, err: bool = False) -> None:
    """Print text that may hold what data or arguments say."""
    click.echo(visible(text, lines=True), err=err)


def echo_json(value: Any, indent: int | None = None) -> None:
    """Print a value as JSON; where the output has not all characters, with escapes that mean the same."""
    text = json.dumps(value, default=str, ensure_ascii=not unicode(sys.stdout.encoding), indent=indent)
    click.echo(in_json(text))


def console(**options: Any) -> Console:
    """A console of Rich that prints text visibly."""
    made = Console(**options)
    made.push_render_hook(_AllVisible())
    return made


class _AllVisible(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Visible(one) for one in renderables]


class _Visible:
    """What Rich renders, its text visible."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self.inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, style, control in console.render(self.inner, options):
            yield Segment(text if control else visible(text, lines=True), style, control)
