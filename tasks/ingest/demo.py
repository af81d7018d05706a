"""The built-in demo site: written into the store when a night has no inputs of its own."""

from datetime import timedelta
from typing import Any

from recmodels.demo import write_site
from tasks.ingest.reading.inputs import Inputs, TableInput
from tasks.store.files import Json
from tasks.store.ids import night_of
from tasks.store.manifests import manifest_of
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of

FRESH_FOR = timedelta(days=30)


@stage_task("demo-site")
def demo_site(night: Night, size: dict[str, Any]) -> Inputs:
    """The tables of the demo site; one that ends at most a month after the night serves it too."""
    folder = night.store.demo
    there = manifest_of(folder)
    end = (night_of(str(there["parameters"].get("end"))) if there else None) or night.run_date
    if not night.run_date <= end <= night.run_date + FRESH_FOR:
        end = night.run_date

    def build(out: Any) -> Json:
        written = write_site(out, end=end, **size)
        return written | {"message": f"{size['interactions']:,} interactions of {size['users']:,} users, invented"}

    logged_stage("demo site", folder, build, code=code_of(__name__), inputs={}, parameters={**size, "end": str(end)})
    return Inputs(
        interactions=TableInput(path=str(folder / "interactions.parquet")),
        items=TableInput(path=str(folder / "items.parquet")),
        users=TableInput(path=str(folder / "users.parquet")),
    )
