"""What code made something: nightrec's release, and digests of its sources.

A stage is redone when its own code changes: the module of the stage, and every module that it imports, directly or not.
A change elsewhere leaves what the stage made as it is.
"""

import ast
import re
import threading
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tasks.store.files import digest, sha256

_ROOT = Path(__file__).parents[2]
_FLOORS = ("recmodels", "expectations", "tasks")
_STATEMENT = re.compile(r"^[^\s)]", re.MULTILINE)  # where one may begin that is inside no other
_parsing = threading.Lock()  # the parser of Python 3.11 fails where two threads use it (python/cpython#106905)


def _release() -> str:
    project = _ROOT / "pyproject.toml"
    if project.is_file():  # a source tree: what is installed beside it may be older
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    return version("nightrec")


NIGHTREC_VERSION = _release()


@cache
def code_version() -> str:
    """nightrec's release and a digest of the sources of all packages below the flows."""
    return _digest_of(path for floor in _FLOORS for path in (_ROOT / floor).rglob("*.py"))


@cache
def code_of(*modules: str, without: frozenset[str] = frozenset()) -> str:
    """nightrec's release and a digest of some modules and all they import of nightrec.

    Args:
        modules: dotted names; a module of somebody else's package counts with what it imports of that package.
        without: modules that are not followed, because what they do is accounted for otherwise.
    """
    return _digest_of(path for path in imported_by(*modules, without=without).values())


def imported_by(*modules: str, without: frozenset[str] = frozenset()) -> dict[str, Path]:
    """Some modules and all they import of nightrec (or of their own package), by name, with their files.

    Imports inside functions count; those for type checkers alone do not. The `__init__` of a package counts only where
    something is imported from it that is no module; what it imports on demand counts then, too.
    """
    homes = frozenset({*_FLOORS, *(name.partition(".")[0] for name in modules)})
    found: dict[str, Path] = {}
    left = list(modules)
    while left:
        module = left.pop()
        if module in found or (module in without and module not in modules):
            continue
        path = _file_of(module)
        if path is None:
            continue
        found[module] = path
        left += _imports(module, path, homes)
    return found


def _digest_of(paths: Iterator[Path]) -> str:
    """The release, and a digest of files by their paths and contents."""
    content = sorted((_name_of(path), sha256(path)) for path in paths)
    return f"{NIGHTREC_VERSION}+{digest(content)[:12]}"


def _name_of(path: Path) -> str:
    """A source's path within nightrec, the same on all machines; only the name of a file that is elsewhere."""
    return path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name


@cache
def _imports(module: str, path: Path, homes: frozenset[str]) -> tuple[str, ...]:
    """The modules of some top-level packages that a file imports, anywhere in it."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    names: list[str] = []
    for node in _statements(_parsed(path)):
        if isinstance(node, ast.Import):
            for imported in [name.name for name in node.names if name.name.partition(".")[0] in homes]:
                names += [imported, *_offered(imported).values()]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names if origin.partition(".")[0] in homes else ():
                inside = f"{origin}.{name.name}"
                offered = _offered(origin)
                names += [inside] if _file_of(inside) else [origin, *filter(None, [offered.get(name.name)])]
    return tuple(dict.fromkeys(names))


@cache
def _offered(package: str) -> dict[str, str]:
    """The names that a package offers and imports on demand, as it declares them for type checkers: name -> module."""
    path = _file_of(package)
    if path is None or path.name != "__init__.py":
        return {}
    declared = [
        node
        for block in _parsed(path)
        if isinstance(block, ast.If) and _for_type_checkers(block)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
    ]
    return {name.asname or name.name: str(node.module) for node in declared for name in node.names}


def _parsed(path: Path) -> list[ast.stmt]:
    """The statements of a file up to its last import: most files have theirs at the top, and parsing takes time."""
    source = path.read_text(encoding="utf-8")
    after = _STATEMENT.search(source, source.rfind("import") + 1)
    with _parsing:
        try:
            return ast.parse(source[: after.start()] if after else source).body
        except SyntaxError:  # what looked like a new statement was an `else`, or stood in a string
            return ast.parse(source).body


def _for_type_checkers(node: ast.If) -> bool:
    return ast.unparse(node.test).endswith("TYPE_CHECKING")


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements, nested ones too, but for those under `if TYPE_CHECKING`."""
    for node in body:
        yield node
        checking = isinstance(node, ast.If) and _for_type_checkers(node)
        for field in ("orelse",) if checking else ("body", "orelse", "finalbody"):
            yield from _statements(getattr(node, field, []))
        for branch in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from _statements(branch.body)


@cache
def _file_of(module: str) -> Path | None:
    """The file of a module of nightrec or of a package that is installed; None for what is no such module."""
    top, *inner = module.split(".")
    home = _ROOT if top in _FLOORS else _home_of(top)
    if home is None:
        return None
    path = home.joinpath(top, *inner)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def _home_of(top: str) -> Path | None:
    """The folder that holds a top-level package or module."""
    spec = find_spec(top)
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or [])
    if folders:
        return Path(folders[0]).parent
    return Path(spec.origin).parent if spec.has_location and spec.origin else None
