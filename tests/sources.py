"""The imports and calls in sources, parsed once in a process: it takes seconds for all of them."""

import ast
from collections import defaultdict
from functools import cache
from typing import Any, NamedTuple


class Statements(NamedTuple):
    imports: list[ast.Import | ast.ImportFrom]
    """All of them: those of modules, then those from modules."""
    at_top: list[ast.stmt]
    """Those of them that stand at the top of the file."""
    calls: list[ast.Call]


@cache
def statements(source: str) -> Statements:
    tree = ast.parse(source)
    of: dict[type[ast.AST], list[Any]] = defaultdict(list)
    for node in ast.walk(tree):
        of[type(node)].append(node)
    at_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return Statements(of[ast.Import] + of[ast.ImportFrom], at_top, of[ast.Call])


def module_of_imports(source: str) -> ast.Module:
    """A module with nothing but the imports of another."""
    return ast.Module(list(statements(source).imports), [])
