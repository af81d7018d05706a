"""Recommenders from outside: a site's own class, as `module:Class`, and those that installed packages register.

A package registers one with an entry point:

    [project.entry-points."nightrec.recommenders"]
    margin = "shop.models:Margin"

A class that is named by its path is imported from the site's folder, or from the installed packages. That folder is
what NIGHTREC_FOLDER names, else that of the file that NIGHTREC_CONFIG names (as deployed flows have it), else the
working directory. Importing runs its code, so a path is imported only where the configuration or
the caller names it, never because a stored file does.
"""

import inspect
import os
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from recmodels.base import Recommender
from recmodels.errors import ConfigError

GROUP = "nightrec.recommenders"
FOLDER_VARIABLE, CONFIG_VARIABLE = "NIGHTREC_FOLDER", "NIGHTREC_CONFIG"

_imported: dict[str, type[Recommender]] = {}


@cache
def registered(group: str = GROUP) -> dict[str, str]:
    """The paths of the recommenders that installed packages register, by name; or of what else is in a group."""
    return {point.name: point.value for point in sorted(entry_points(group=group), key=lambda point: point.name)}


def imported(path: str) -> bool:
    """Whether a class has been asked for in this process already."""
    return path in _imported


def folder() -> str:
    """The folder that a site's own modules are imported from."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return named
    config = os.environ.get(CONFIG_VARIABLE)
    return str(Path(config).absolute().parent if config else Path.cwd())


def class_at(path: str) -> type[Recommender]:
    """The recommender's class at `module:Class`, imported.

    Raises:
        ConfigError: there is no such class, it cannot be imported, or it is no recommender.
    """
    if path not in _imported:
        _imported[path] = _checked(object_at(path), path)
    return _imported[path]


def object_at(path: str) -> object:
    """What is at `module:name`, imported.

    Raises:
        ConfigError: there is no such thing, or it cannot be imported.
    """
    module, _, name = path.partition(":")
    if folder() not in sys.path:
        sys.path.append(folder())  # at the end: no file of a site hides a module of Python's
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise ConfigError(f"{path} cannot be imported: {error}.") from error
        raise ConfigError(
            f"{path}: there is no module {module}, neither in {folder()} nor among the installed packages."
        ) from error
    except Exception as error:
        raise ConfigError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    if not hasattr(found, name):
        raise ConfigError(f"{path}: the module {module} ({found.__file__}) has no {name or 'class of that name'}.")
    return getattr(found, name)


def _checked(kind: object, path: str) -> type[Recommender]:
    if not (isinstance(kind, type) and issubclass(kind, Recommender)):
        raise ConfigError(f"{path} is no recommender: derive the class from recmodels.Recommender.")
    if "__dataclass_fields__" not in vars(kind):
        raise ConfigError(f"{path} is no dataclass: write @dataclass above it, so that its parameters can be set.")
    if inspect.isabstract(kind):
        raise ConfigError(f"{path} is not complete: write {', '.join(sorted(kind.__abstractmethods__))}.")
    return kind
