"""Draws the architecture page's pictures: a night's stages, and the import graph, now or at an earlier revision.

python -m docs.site.graph                       # the pictures of this tree
python -m docs.site.graph --revision e1ecb30    # the import graph of a revision, as imports-before.svg
"""

import argparse
import ast
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
FLOORS = ("flows", "tasks", "recmodels")

NIGHT = {
    "ingest": ["the site's tables"],
    "validate": ["ingest"],
    "prepare": ["validate"],
    "features": ["validate", "prepare"],
    "exposures": ["validate", "prepare"],
    "offpolicy": ["prepare", "exposures"],
    "arms": ["prepare", "exposures"],
    "longterm": ["prepare", "exposures"],
    "lists": ["prepare", "features"],
    "train: a process for each model": ["prepare", "features"],
    "train: ensembles": ["train: a process for each model"],
    "evaluate: each model": ["train: a process for each model", "train: ensembles", "lists"],
    "compare: the gate": ["evaluate: each model", "offpolicy"],
    "train: refit of the winner": ["compare: the gate", "features"],
    "exploration": ["train: a process for each model", "train: ensembles", "lists"],
    "export": ["train: refit of the winner", "lists", "exploration"],
    "publish": ["export"],
    "panel": ["exposures", "export"],
    "report": ["compare: the gate", "publish", "panel", "arms", "longterm"],
}
"""A night's stages, each with what it reads. What stands before a colon is the stage's package in `tasks/`."""

LETTER, HEIGHT, GAP, FLOOR = 7.3, 24, 14, 74  # of the drawing, in pixels: a letter, a box, between boxes, a floor

STYLE = """
text { font: 12px ui-monospace, monospace; fill: #1f2430; text-anchor: middle; dominant-baseline: central }
.title { font: bold 15px system-ui, sans-serif; text-anchor: start }
rect { fill: #eef1f8; stroke: #5b6b95; rx: 5px }
path { fill: none; stroke: #5b6b95; stroke-opacity: .35 }
.flow path { stroke-opacity: .8; marker-end: url(#head) }
.flow #head path { fill: #5b6b95; marker-end: none }
.up { stroke: #c62828; stroke-opacity: .9; stroke-width: 1.6 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e8ee } rect { fill: #2b3145; stroke: #93a3cf } path { stroke: #93a3cf } .up { stroke: #ff8a80 }
}
"""

HEAD = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0L8 4L0 8z"/></marker>'

Edge = tuple[str, str]


@dataclass(frozen=True)
class Graph:
    """Boxes and the arrows from each to what it needs."""

    title: str
    nodes: frozenset[str]
    edges: frozenset[Edge]


def sources(revision: str | None) -> Iterator[tuple[str, str]]:
    """The path and text of every module, of the working tree or of a revision."""
    if revision is None:
        for path in sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        return
    for name in git("ls-tree", "-r", "--name-only", revision, *FLOORS).splitlines():
        if name.endswith(".py"):
            yield name, git("show", f"{revision}:{name}")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def imports(revision: str | None = None, parse: Callable[[str], ast.Module] = ast.parse) -> list[Graph]:
    """For each floor its packages and modules, and which of them import which."""
    modules = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): parse(text)
        for name, text in sources(revision)
    }
    edges: dict[str, set[Edge]] = defaultdict(set)
    for module, tree in modules.items():
        for imported in imported_by(tree, modules):
            floor, source, target = module.partition(".")[0], box(module), box(imported)
            if floor == imported.partition(".")[0] and source and target and source != target:
                edges[floor].add((source, target))
    return [graph_of(floor, modules, edges[floor]) for floor in FLOORS]


def graph_of(floor: str, modules: dict[str, ast.Module], edges: set[Edge]) -> Graph:
    nodes = {box(module) for module in modules if module.startswith(f"{floor}.")}
    title = f"{floor}: {len(nodes)} packages and modules, {len(edges)} imports between them"
    return Graph(title, frozenset(nodes), frozenset(edges))


def imported_by(tree: ast.Module, modules: dict[str, ast.Module]) -> Iterator[str]:
    """The modules of ours that a module imports, also within functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                if whole in modules or node.module in modules:
                    yield whole if whole in modules else node.module


def box(module: str) -> str:
    """What stands for a module in the drawing: the package or module just below its floor."""
    return module.partition(".")[2].partition(".")[0]


def night() -> Graph:
    edges = {(stage, needed) for stage, needs in NIGHT.items() for needed in needs}
    return Graph("A night", frozenset(node for edge in edges for node in edge), frozenset(edges))


def floors(graph: Graph) -> tuple[dict[str, int], set[Edge]]:
    """The floor of each box, 0 for what needs nothing, and the arrows that close a cycle."""
    needs: dict[str, list[str]] = defaultdict(list)
    for source, target in sorted(graph.edges):
        needs[source].append(target)
    found: dict[str, int] = {}
    back: set[Edge] = set()

    def visit(node: str, above: tuple[str, ...]) -> int:
        if node not in found:
            below = []
            for target in needs[node]:
                if target in (*above, node):
                    back.add((node, target))
                else:
                    below.append(visit(target, (*above, node)) + 1)
            found[node] = max(below, default=0)
        return found[node]

    for node in sorted(graph.nodes):
        visit(node, ())
    return found, back | {(a, b) for a, b in graph.edges if found[a] <= found[b]}


def rows_of(graph: Graph, floor: dict[str, int]) -> list[list[str]]:
    """The boxes of each floor from left to right: each near those it is connected with."""
    rows = [sorted(node for node in graph.nodes if floor[node] == i) for i in range(max(floor.values()) + 1)]
    near: dict[str, list[str]] = defaultdict(list)
    for source, target in sorted(graph.edges):  # sums of floats depend on their order
        near[source].append(target)
        near[target].append(source)
    for _ in range(8):
        position = {node: (i + 0.5) / len(row) for row in rows for i, node in enumerate(row)}
        rows = [
            sorted(row, key=lambda node: (sum(position[other] for other in near[node]) / max(1, len(near[node])), node))
            for row in rows
        ]
    return rows


def drawing(graphs: list[Graph], downward: bool = False) -> str:
    """The graphs below one another as SVG; arrows lead down to what is needed, or (`downward`) from it."""
    parts, top, widest = [], 0.0, 0.0
    for graph in graphs:
        floor, up = floors(graph)
        rows = rows_of(graph, floor)
        widths = [sum(len(node) * LETTER + 16 + GAP for node in row) for row in rows]
        width = max(*widths, len(graph.title) * 8.5, 480)
        place: dict[str, tuple[float, float]] = {}
        for i, row in enumerate(rows):
            x, spare = 0.0, (width - widths[i]) / (len(row) + 1)
            level = i if downward else len(rows) - 1 - i
            for node in row:
                wide = len(node) * LETTER + 16
                x += spare
                place[node] = (x + wide / 2, top + 50 + level * FLOOR)
                x += wide + GAP
        parts.append(f'<text class="title" x="4" y="{top + 14:.0f}">{escape(graph.title)}</text>')
        ends = [(b, a, False) if downward else (a, b, (a, b) in up) for a, b in sorted(graph.edges)]
        parts += [arrow(place[a], place[b], closes) for a, b, closes in ends]
        parts += [boxed(node, *place[node]) for node in sorted(graph.nodes)]
        top += 50 + len(rows) * FLOOR
        widest = max(widest, width)
    size = f'viewBox="-4 -4 {widest + 8:.0f} {top:.0f}"'
    kind = ' class="flow"' if downward else ""
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size}{kind}>\n<style>{STYLE}</style>\n{HEAD}\n'
    return start + "\n".join(parts) + "\n</svg>\n"


def boxed(node: str, x: float, y: float) -> str:
    wide = len(node) * LETTER + 16
    frame = f'<rect x="{x - wide / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{wide:.0f}" height="{HEIGHT}" rx="5"/>'
    return f'{frame}<text x="{x:.0f}" y="{y:.0f}">{escape(node)}</text>'


def arrow(source: tuple[float, float], target: tuple[float, float], closes: bool) -> str:
    """A line between two boxes; red where it closes a cycle."""
    (x, y), (to_x, to_y) = source, target
    y, to_y = (y + HEIGHT / 2, to_y - HEIGHT / 2) if y < to_y else (y - HEIGHT / 2, to_y + HEIGHT / 2)
    middle = (y + to_y) / 2
    kind = ' class="up"' if closes else ""
    return f'<path{kind} d="M{x:.0f} {y:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"/>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--revision", help="draw the import graph of this revision, as imports-before.svg")
    revision = parser.parse_args().revision
    if revision:
        (IMAGES / "imports-before.svg").write_text(drawing(imports(revision)), encoding="utf-8")
        return
    (IMAGES / "imports.svg").write_text(drawing(imports()), encoding="utf-8")
    (IMAGES / "dag.svg").write_text(drawing([night()], downward=True), encoding="utf-8")


if __name__ == "__main__":
    main()
