"""pgvector: the published vectors in tables of PostgreSQL, swapped in like the lists, with indices for searches.

Items have an index for each metric, of those that are available; users are looked up by their id, and have none.

References:
    Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small
    world graphs", IEEE TPAMI 2020.
"""

from recmodels.errors import NightrecError
from recmodels.published.schema import contract
from tasks.export.vectors import ITEM_VECTORS, USER_VECTORS
from tasks.publish.sinks.postgres_tables import Target, clear, replace, server
from tasks.publish.sinks.settings import PgvectorSettings
from tasks.publish.sinks.source import Published
from tasks.publish.sinks.vector_texts import COSINE, INNER_PRODUCT
from tasks.store.files import Json

OPERATORS = {INNER_PRODUCT: "ip", COSINE: "cosine"}
NEIGHBORS, CONSIDERED = 16, 128  # of an item in the graph; when it is put there
LONGEST = {"vector": 2_000, "halfvec": 4_000}  # numbers of a vector that an index takes
IDS = {ITEM_VECTORS: "item_id", USER_VECTORS: "user_id"}


def load(settings: PgvectorSettings, published: Published) -> Json:
    """Bring the tables to the current export: what arrived, by table.

    Raises:
        NightrecError: the export has no vectors, the database no pgvector, or what `replace` raises.
        ConfigError, ConnectionError: as of `replace`.
    """
    tables, of_users = published.vector_tables(users=settings.users), f"{settings.table}_users"
    length = published.schema(ITEM_VECTORS).field("vector").type.list_size
    kind = "halfvec" if settings.half or LONGEST["vector"] < length <= LONGEST["halfvec"] else "vector"
    indexes = [
        f"USING hnsw (vector {kind}_{OPERATORS[metric]}_ops) "
        f"WITH (m = {NEIGHBORS}, ef_construction = {CONSIDERED}) WHERE available"
        for metric in settings.metrics
        if length <= LONGEST[kind]
    ]
    targets = [
        Target(
            settings.table if table == ITEM_VECTORS else of_users,
            table,
            [IDS[table]],
            {"vector": f"{kind}({length})"},
            indexes if table == ITEM_VECTORS else (),
        )
        for table in tables
    ]
    _extend(settings.dsn_env)
    proofs = replace(settings.dsn_env, targets, published)
    if USER_VECTORS not in tables:  # a site may have left them out since, and they may be of people who are forgotten
        clear(settings.dsn_env, of_users, [column["name"] for column in contract()["tables"][USER_VECTORS]["columns"]])
    return proofs


def _extend(variable: str) -> None:
    """See that the database knows vectors."""
    with server(variable) as connection:
        if connection.execute("SELECT FROM pg_extension WHERE extname = 'vector'").fetchone() is not None:
            return
        try:
            connection.execute("CREATE EXTENSION vector")
        except Exception:  # of psycopg, which may not be installed where this module is imported
            raise NightrecError(
                f"The database of {variable} has no pgvector, and its user may not add it: install it on the server, "
                "and run CREATE EXTENSION vector as the owner of the database."
            ) from None
