"""The first two stages alone: are these inputs fit for a night?"""

from datetime import date

from prefect import flow

from flows.settings.site import NightConfig
from tasks.ingest.demo import demo_site
from tasks.ingest.stage import ingest
from tasks.store.files import Json
from tasks.store.locking import held
from tasks.store.paths import Store
from tasks.validate.stage import validate


@flow(name="validate", flow_run_name="validate-{run_date}", persist_result=False)
def checking(config: NightConfig, run_date: date, fresh: bool = False) -> Json:
    """Read and validate a night's inputs. When it fails, its message names the column, the values and what to do."""
    night = Store(config.store.absolute()).night(run_date)
    cutoff = config.cutoff(run_date)
    with held(night.store):
        night.sweep()
        inputs = config.tables() or demo_site(night, config.demo.model_dump())
        raw = ingest(night, inputs, cutoff, fresh, config.validation.earliest)
        valid = validate(night, config.validation, cutoff, raw, fresh)
    return {
        "run_date": str(run_date),
        "accounts": raw["summary"]["accounts"],
        "balances": valid["summary"]["balances"],
        "refused_of_files": valid["summary"]["refused_of_files"],
        "reasons": valid["summary"]["reasons"],
        "opted_out": valid["summary"]["opted_out"],
        "notes": [*raw["summary"]["notes"], *valid["summary"]["notes"]],
        "interactions": valid["summary"]["rows"],
        "quarantined": valid["summary"]["quarantined"],
        "quarantine": str(night.quarantine),
    }
