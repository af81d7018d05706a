"""PostgreSQL: the current lists in a table, similar and popular items in two more, swapped in together."""

from tasks.publish.sinks.postgres_tables import Target, replace
from tasks.publish.sinks.settings import PostgresSettings
from tasks.publish.sinks.source import LISTS_BY, Published
from tasks.store.files import Json


def load(settings: PostgresSettings, published: Published) -> Json:
    """Bring the tables to the current export: what arrived, by table. Raises what `replace` does."""
    targets = [
        Target(settings.table if table == "topk" else f"{settings.table}_{table}", table, [*LISTS_BY[table], "rank"])
        for table in published.tables
    ]
    return replace(settings.dsn_env, targets, published)
