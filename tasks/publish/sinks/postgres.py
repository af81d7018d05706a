"""PostgreSQL: the current lists in a table, similar and popular items in two more, swapped in together."""

from recmodels.published.schema import contract
from tasks.publish.sinks.postgres_tables import Target, clear, replace
from tasks.publish.sinks.settings import PostgresSettings
from tasks.publish.sinks.source import LISTS_BY, Published
from tasks.store.files import Json


def load(settings: PostgresSettings, published: Published) -> Json:
    """Bring the tables to the current export: what arrived, by table. Raises what `replace` does."""
    names = {table: settings.table if table == "topk" else f"{settings.table}_{table}" for table in LISTS_BY}
    targets = [Target(names[table], table, [*LISTS_BY[table], "rank"]) for table in published.tables]
    proofs = replace(settings.dsn_env, targets, published)
    for table in LISTS_BY.keys() - set(published.tables):  # a site may have left it out since: what it had is outdated
        clear(settings.dsn_env, names[table], [column["name"] for column in contract()["tables"][table]["columns"]])
    return proofs
