"""A night from Python: `run_night`, for a notebook or a program of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from flows.operate.server import quiet_prefect
from flows.settings.checks import check_forced_model, check_installed
from flows.settings.site import NightConfig, load
from recmodels.errors import ConfigError, NightrecError
from tasks.ingest.reading.files import check_inputs
from tasks.store.files import TEMPORARY, Json, private_folder, sha256
from tasks.store.in_step import store_folder
from tasks.store.paths import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tasks.offpolicy.values import OffPolicySummary

Table: TypeAlias = Union[str, Path, "pd.DataFrame", "pa.Table"]
"""A file, a folder or a glob; or the table itself."""


@dataclass(frozen=True)
class NightResult:
    """What came of a night.

    Attributes:
        run_date: the night's date.
        winner: the model whose lists are published (in a dry run: would be).
        reason: why it won.
        metrics: the figures of every model, by its name and that of the metric, such as `metrics["als"]["ndcg"]`.
        failed: why models could not be measured, by name.
        warnings: why the night is no good one although it ended: its champion could not be measured, or most models
            failed; a sentence each.
        export_id: of the export; None in a dry run.
        store: the site's folder.
        record: all that the night has left in its `night.json`.
    """

    run_date: date
    winner: str
    reason: str
    metrics: dict[str, dict[str, float]]
    failed: dict[str, str]
    warnings: list[str]
    export_id: str | None
    store: Path
    record: Json

    def lists(self) -> "pd.DataFrame":
        """The published lists: user_id, rank, item_id, score, reason and so on, a row an item of a user's list.

        Raises:
            NightrecError: nothing was published, or the export was removed since.
        """
        frame: pd.DataFrame = self.table("topk").to_pandas()
        return frame

    def table(self, name: str = "topk") -> "pa.Table":
        """A table of the export as Arrow: `topk`, `popular` or `similar`.

        Raises:
            NightrecError: nothing was published, or the export was removed since.
        """
        from recmodels.published.reader import Export

        if self.export_id is None:
            raise NightrecError(f"The night {self.run_date} was a dry run: nothing was published.")
        return Export.named(self.store, self.export_id).table(name)


def run_night(
    interactions: Table | None = None,
    items: Table | None = None,
    users: Table | None = None,
    *,
    exposures: Table | None = None,
    item_vectors: Table | None = None,
    user_vectors: Table | None = None,
    store: str | Path | None = None,
    run_date: date | str | None = None,
    models: Sequence[str] | None = None,
    config: str | Path | NightConfig | None = None,
    columns: Mapping[str, str] | None = None,
    k: int | None = None,
    forced_model: str | None = None,
    dry_run: bool = False,
    fresh: bool = False,
) -> NightResult:
    """Run one night in this process, as `nightrec run` does.

    Args:
        interactions: who did what, when: `user_id`, `item_id`, `timestamp`, and maybe `rating` and `event`. Without
            them, and without inputs in the configuration, the night is that of the built-in demo site.
        items: the catalogue.
        users: the users.
        exposures: what was shown to whom: `user_id`, `item_id`, `rank`, `timestamp`, and maybe `export_id`, `clicked`
            and `outcome`.
        item_vectors: what an encoder makes of the items: `item_id`, and `vector`, a list of numbers.
        user_vectors: the same of users: `user_id`, `vector`.
        store: the site's folder; as configured (`store`), if not given. Tables that are given as such are written to
            its folder `inputs/`.
        run_date: the night's date; it sees the data before 00:00 of that day. Today, if not given.
        models: only these compete, with the popularity baseline; all that are configured, if not given.
        config: settings, or the file they are in; without it every setting has its default.
        columns: our names of the columns of the interactions, and yours.
        k: items in an exported list.
        forced_model: the model to publish, whatever the gate says.
        dry_run: train and compare, and publish nothing.
        fresh: do everything again, whatever is done already.

    Returns:
        The winner, its figures, and the lists.

    Raises:
        ConfigError: an argument or a setting is wrong.
        NightrecError: the night failed; `DataRefused`, `GateRefused` and `ExportRefused` among them say who refused.
    """
    settings = config if isinstance(config, NightConfig) else load(Path(config)) if config else NightConfig()
    settings = settings.model_copy(
        update={"store": store_folder(store if store is not None else settings.store).absolute()}
    )
    folder = Store(settings.store)
    tables = {
        "interactions": interactions,
        "items": items,
        "users": users,
        "exposures": exposures,
        "item_vectors": item_vectors,
        "user_vectors": user_vectors,
    }
    paths = {name: (_path_of(table, name, folder), None) for name, table in tables.items()}
    settings = settings.with_inputs({**paths, "interactions": (paths["interactions"][0], _texts(columns))}, None)
    if models is not None:
        settings = settings.only(list(models))
    settings = settings.with_k(k)
    day = date.fromisoformat(run_date) if isinstance(run_date, str) else run_date or settings.today()
    if (found := settings.tables()) is not None:
        check_inputs(found, exposures=exposures is not None)
    check_installed(settings)
    if forced_model is not None:
        check_forced_model(settings, folder, day, forced_model)
    quiet_prefect(debug=False)
    from flows.in_process import run_in_process

    record = run_in_process(settings, day, fresh=fresh, dry_run=dry_run, forced_model=forced_model)
    return NightResult(
        run_date=day,
        winner=record["winner"],
        reason=record["reason"],
        metrics={
            model: {metric: figure["value"] for metric, figure in figures.items()}
            for model, figures in record["models"].items()
        },
        failed=record["failed"],
        warnings=record["gate"]["warnings"],
        export_id=record.get("export_id"),
        store=folder.root,
        record=record,
    )


def off_policy(
    store: str | Path | None = None,
    models: Sequence[str] | None = None,
    *,
    days: int | None = None,
    policy: str | Path | None = None,
    config: str | Path | NightConfig | None = None,
) -> "OffPolicySummary":
    """What models would have earned by the places that exploration has drawn, as `nightrec ope` says it.

    Args:
        store: the site's folder; as configured, if not given.
        models: the models to judge; all that the log knows, if not given.
        days: of how many days the exposures are; as configured (`feedback.ope_days`), if not given.
        policy: a policy of your own: a Parquet file with `user_id`, `item_id` and maybe `probability`.
        config: settings, or the file they are in.

    Returns:
        A value for each model and policy (`values`), each with its estimates, its verdict (`trust`, `reasons`), and the
        gain over the champion.

    Raises:
        NightrecError: there is nothing to judge by.
        ConfigError: a model that the log does not know, or a file that is no policy.
    """
    from tasks.offpolicy.asked import asked

    settings = config if isinstance(config, NightConfig) else load(Path(config)) if config else NightConfig()
    folder = store_folder(store if store is not None else settings.store).absolute()
    chosen = None if models is None else list(models)
    own = None if policy is None else Path(policy)
    return asked(folder, settings.cutoff, chosen, days or settings.feedback.ope_days, own)


def _texts(columns: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if columns is None else dict(columns)


def _path_of(table: Table | None, name: str, store: Store) -> str | None:
    """Where a table is; one that is given as such is written into the store, unless the same is there already."""
    if table is None or isinstance(table, str | Path):
        return None if table is None else str(table)
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = store.input(name)
    private_folder(store.root)
    private_folder(path.parent)
    written = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ConfigError(f"{name}: a column of the data frame has values of several types: {error.args[0]}.") from None
    pq.write_table(arrow, written)
    if path.exists() and sha256(path) == sha256(written):  # a night of the same table is not done again
        written.unlink()
    else:
        written.replace(path)
    return str(path)
