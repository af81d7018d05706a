"""The imports and calls in sources, parsed once in a process: it takes seconds for all of them."""

import ast
from functools import cache
from typing import NamedTuple


class Statements(NamedTuple):
    imports: list[ast.Import | ast.ImportFrom]
    """All of them, in the order of `ast.walk`."""
    at_top: list[ast.stmt]
    """Those of them that stand at the top of the file."""
    calls: list[ast.Call]


@cache
def statements(source: str) -> Statements:
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    return Statements(
        [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)],
        [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)],
        [node for node in nodes if isinstance(node, ast.Call)],
    )


def module_of_imports(source: str) -> ast.Module:
    """A module with nothing but the imports of another."""
    return ast.Module(list(statements(source).imports), [])
