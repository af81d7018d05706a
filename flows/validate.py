"""The first two stages alone: are these inputs fit for a night?"""

from datetime import date

import pyarrow.parquet as pq
from prefect import flow

from flows.execution.engines import engine_for
from flows.no_storage import keep_nothing
from flows.settings.site import NightConfig
from recmodels.compute.memory import at_most
from recmodels.errors import DataRefused
from tasks.ingest.demo import demo_site
from tasks.ingest.stage import ingest
from tasks.store.accounts import balance
from tasks.store.files import Json
from tasks.store.leftovers import sweep_night
from tasks.store.locking import held
from tasks.store.paths import Night, Store
from tasks.store.summaries import RawSummary
from tasks.validate.stage import validate


class NotFit(DataRefused):
    """Inputs that were read and are not fit for a night; `record` is the account of them."""

    def __init__(self, reason: str, record: Json) -> None:
        super().__init__(reason)
        self.record = record


@keep_nothing
@flow(name="validate", flow_run_name="validate-{run_date}", persist_result=False)
def checking(config: NightConfig, run_date: date, fresh: bool = False) -> Json:
    """Read and validate a night's inputs. When it fails, its message names the column, the values and what to do."""
    night = Store(config.store.absolute()).night(run_date)
    cutoff = config.cutoff(run_date)
    with held(night.store), at_most(config.memory), engine_for(config.engine):
        sweep_night(night)
        inputs = config.tables() or demo_site(night, config.demo.model_dump())
        raw = ingest(night, inputs, cutoff, fresh, config.validation.earliest)
        read = {
            "run_date": str(run_date),
            "accounts": raw["summary"]["accounts"],
            "quarantine": str(night.quarantine),
        }
        try:
            valid = validate(night, config.validation, cutoff, raw, fresh)
        except DataRefused as error:
            raise NotFit(str(error), read | _refused(night, raw["summary"])) from error
    summary = valid["summary"]
    return read | {
        "balances": summary["balances"],
        "refused_of_files": summary["refused_of_files"],
        "reasons": summary["reasons"],
        "opted_out": summary["opted_out"],
        "notes": [*raw["summary"]["notes"], *summary["notes"]],
        "interactions": summary["rows"],
        "quarantined": summary["quarantined"],
    }


def _refused(night: Night, raw: RawSummary) -> Json:
    """The account of tables that are not fit for a night, as far as it goes."""
    balances = {}
    for table, account in raw["accounts"].items():
        bad = night.quarantine / f"{table}.parquet"
        refused = pq.read_metadata(bad).num_rows if bad.exists() else 0
        balances[table] = balance(account, raw["tables"][table]["rows"] - refused, refused)
    return {"balances": balances, "notes": raw["notes"]}
