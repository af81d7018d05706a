"""The imports and calls in sources, parsed once in a process: it takes seconds for all of them."""

import ast
import re
from collections import defaultdict
from functools import cache
from typing import Any, NamedTuple


class Statements(NamedTuple):
    imports: list[ast.Import | ast.ImportFrom]
    """All of them: those of modules, then those from modules."""
    calls: list[ast.Call]


@cache
def statements(source: str) -> Statements:
    tree = ast.parse(source)
    of: dict[type[ast.AST], list[Any]] = defaultdict(list)
    for node in ast.walk(tree):
        of[type(node)].append(node)
    return Statements(of[ast.Import] + of[ast.ImportFrom], of[ast.Call])


def perhaps_imported(source: str) -> set[str]:
    """The packages that a source imports, and those that lines of its texts would: it takes no parsing."""
    found = re.findall(r"(?m)(?:^|;)[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([^#;\n]+))", source)
    named = [name for of, several in found for name in (of, *several.split(",")) if name.strip()]
    return {name.split()[0].partition(".")[0] for name in named}


def module_of_imports(source: str) -> ast.Module:
    """A module with nothing but the imports of another."""
    return ast.Module(list(statements(source).imports), [])
