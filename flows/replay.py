"""Nights of the past once more, and how each model's lists were followed by what people did."""

from collections.abc import Callable

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run as this_run

from flows.no_storage import keep_nothing
from flows.settings.options import NightOptions, ReplayOptions
from flows.settings.site import NightConfig, deployed
from recmodels.compute.memory import at_most
from recmodels.errors import NightrecError
from recmodels.messages import counted
from tasks.estimates.measured import spilled
from tasks.ingest.demo import demo_site
from tasks.ingest.reading.files import input_fingerprint, with_what_is_there
from tasks.replay.result import PAGE, told
from tasks.replay.run import run_replay
from tasks.report.artifacts import shown
from tasks.store.disk import in_words
from tasks.store.files import Json
from tasks.store.in_step import offer
from tasks.store.paths import Store
from tasks.store.room import check_room


class NightsNotReplayed(NightrecError):
    """Some nights could not be replayed; `result` has what was found in the others."""

    def __init__(self, reason: str, result: Json) -> None:
        super().__init__(reason)
        self.result = result


def replay_name() -> str:
    options = ReplayOptions.model_validate(this_run.parameters["options"])
    return f"replay-{options.name or f'{options.first}-{options.last}'}"


@keep_nothing
@flow(name="replay", flow_run_name=replay_name, persist_result=False)
def replay(options: ReplayOptions) -> Json:
    """Nights of the past once more: each model's lists of each night, held against what people did next.

    Nothing that is published is touched. The page is `replays/<name>/replay.html` in the store. Nights that are
    measured already are skipped, so a replay can be run again at any time, with more nights or models.

    **When it fails**, its message names the nights and why; the others are measured. Fix the cause and run it again.
    """
    config = NightOptions(models=options.models).applied_to(deployed())
    result = replaying(config, options)
    page = options.spec(config).root / PAGE
    text = "\n\n".join([*result["sentences"], f"The page: `{page}`"])
    shown(lambda: create_markdown_artifact(text, key="replay", description=f"Replay {result['name']}, {told(result)}"))
    return {"name": result["name"], "nights": told(result), "sentences": result["sentences"]}


def replaying(config: NightConfig, options: ReplayOptions, ended: Callable[[Json], None] = lambda night: None) -> Json:
    """Replay nights in worker processes of this machine, and return what was found; the store is not held.

    Raises:
        ConfigError, DataRefused: the inputs are missing or were refused.
        NightsNotReplayed: some nights failed.
    """
    spec, site = options.spec(config), Store(config.store.absolute())
    with in_words(spec.store), at_most(config.memory):
        inputs = config.tables() or demo_site(site.night(options.last), config.demo.model_dump())
        sizes = [file["size"] for file in input_fingerprint(with_what_is_there(inputs)[0])]
        check_room(spec.data, config.disk, sizes, spilled)
        result = run_replay(spec, inputs, ended)
    offer(site)
    bad = [night for night in result["nights"] if night["status"] == "failed" or night.get("failed")]
    if bad:
        reasons = "; ".join(f"{night['run_date']}: {reason(night)}" for night in bad)
        raise NightsNotReplayed(f"{len(bad)} of {counted(len(result['nights']), 'night')} failed. {reasons}", result)
    return result


def reason(night: Json) -> str:
    """Why a night failed, or some of its models."""
    return night["reason"] or ", ".join(f"{name} ({why})" for name, why in night["failed"].items())
