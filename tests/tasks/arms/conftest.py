from tests.tasks.one_database import one_database  # noqa: F401
