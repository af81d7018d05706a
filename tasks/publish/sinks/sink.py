"""One's own sink: a class whose fields are its settings and that loads the current lists, named in the configuration.

# shop/sinks.py, installed with nightrec, or found through PYTHONPATH
class Kafka(Sink):
    servers_env: str
    topic: str = "recommendations"

    def load(self, published):
        proofs = {}
        for table in published.tables:
            sent = Tally()
            for rows in published.rows(table):
                send(address(self.servers_env), self.topic, sent.add(rows))
            proofs[table] = sent.proof()
        return proofs

# nightrec.toml
[sinks.kafka]
sink = "shop.sinks:Kafka"        # or the name of an entry point of the group nightrec.sinks
servers_env = "SHOP_KAFKA"
"""

import re
from abc import ABC, abstractmethod
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recmodels.errors import ConfigError
from recmodels.published.addresses import secret_in
from tasks.store.files import Json

if TYPE_CHECKING:  # it needs DuckDB, which settings are read without
    from tasks.publish.sinks.source import Published

GROUP = "nightrec.sinks"
URL = re.compile(r"\w+://\S+")


class Sink(BaseModel, ABC):
    """A place that is loaded with the current lists. Fields that a subclass declares are its settings.

    Secrets are no settings: declare the name of an environment variable, and read it with
    `tasks.publish.sinks.settings.address`. Settings appear in Prefect; the environment does not.
    """

    model_config = ConfigDict(extra="forbid")

    sink: str = Field(description="Its class as module:Class, or the name of an entry point of the group.")

    @abstractmethod
    def load(self, published: "Published") -> dict[str, Json]:
        """Bring the place to the current export; loading the same export again must change nothing.

        Args:
            published: the export that readers are pointed to. `published.tables` names its tables,
                `published.rows(table)` gives their rows in Arrow tables of bounded size, `published.lists(table)` the
                same without cutting a list in two; `published.version` changes when the content does.

        Returns:
            For each table what has arrived: `{"rows": 120, ...}`. `tasks.publish.sinks.source` has `Tally` to count
            and sum up rows, and `compare` to compare what was sent with what was read back.

        Raises:
            ConnectionError: the place does not answer; the sink is tried again, three times in all.
            NightrecError: it failed. The text is shown; of any other exception only the type is, as its text may hold
                a secret.
        """

    def forget(self, user_ids: list[str]) -> None:
        """Remove a user from whatever is kept besides the current lists, such as earlier nights.

        It is called by `nightrec forget`, after `load` has brought the lists of which the user is no part any more.

        Args:
            user_ids: the id as it may be written there: with blanks at its ends, and hashed where exports are.

        Raises:
            ConnectionError: the place does not answer.
            NightrecError: it failed.
        """


def own_sink(name: str, content: Any, known: list[str]) -> Sink:
    """The sink that a table `[sinks.<name>]` describes.

    Raises:
        ConfigError: there is no such class, its settings are wrong, or one of them holds a password.
    """
    if isinstance(content, Sink):
        return content
    if not isinstance(content, dict):
        raise ConfigError(f"sinks.{name} is no table of settings; write [sinks.{name}].")
    if where := _credentials(content):
        raise ConfigError(
            f"sinks.{name}.{where} holds a password, which does not belong in a file: put the address into the "
            "environment, and name its variable here."
        )
    kind = _class_of(name, content.get("sink", name), known)
    try:
        return kind.model_validate({"sink": name} | content)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, ("sinks", name, *first["loc"])))
        raise ConfigError(f"{where}: {first['msg']}.") from None


def _class_of(name: str, place: Any, known: list[str]) -> type[Sink]:
    """The class at `module:Class`, or behind an entry point."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    if ":" not in str(place) and place not in points:
        there = ", ".join([*known, *points])
        raise ConfigError(
            f'sinks.{name}: there is no sink {place!r}, but {there}; for one of your own write sink = "module:Class".'
        )
    module, _, attribute = str(points[place].value if place in points else place).partition(":")
    try:
        kind = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"sinks.{name}: it cannot be loaded from {module}:{attribute} ({error}); install its package, or name its "
            "folder in PYTHONPATH."
        ) from None
    if not (isinstance(kind, type) and issubclass(kind, Sink)):
        raise ConfigError(
            f"sinks.{name}: {module}:{attribute} is no sink; derive it from tasks.publish.sinks.sink.Sink."
        )
    return kind


def _credentials(content: Any, path: str = "") -> str:
    """Where a text in the settings is a URL with a password or a token; empty if nowhere."""
    if isinstance(content, str):
        return path if any(secret_in(url) for url in URL.findall(content)) else ""
    inner: Any = (
        content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    )
    return next((found for key, one in inner if (found := _credentials(one, f"{path}.{key}".lstrip(".")))), "")
