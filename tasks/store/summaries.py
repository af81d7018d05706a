"""What stages say about their own output, as other stages and reports read it: the summaries in the manifests."""

from typing import NotRequired

from typing_extensions import TypedDict

from tasks.store.accounts import TableAccount, TableBalance


class WarmSummary(TypedDict):
    """What became of a training that could start from a model of an earlier `night`.

    `nights`: how many nights in a row have started from the one before, this one included; `since`: the first of them,
    which started from nothing. Without these it started from nothing itself, as too much has `changed`: shares of the
    rows, users and items that are new.
    """

    changed: dict[str, float]
    night: NotRequired[str]
    nights: NotRequired[int]
    since: NotRequired[str]


class RawSummary(TypedDict):
    """What the stage says about the raw tables; the counts at the top are those of the interactions.

    `accounts`: table -> what became of each of its lines, files and columns.
    """

    rows: int
    after_cutoff: int
    rejects: int
    blank_lines: int
    unreadable_timestamps: int
    oldest: str | None
    newest: str | None
    ids: dict[str, str]
    accounts: dict[str, TableAccount]
    tables: dict[str, dict[str, int]]
    files: list[str]
    notes: list[str]
    message: str


class TableCounts(TypedDict):
    """What became of the lines of a table; `rejects` are lines that are no rows.

    `superseded` rows are good but for another of the same id: they are no part of the `share` that stops a night.
    """

    rows_in: int
    rows: int
    refused: int
    superseded: int
    rejects: int
    share: float


class InteractionsProfile(TypedDict):
    """The valid interactions in numbers; times are ISO, and there are none in an empty table."""

    rows: int
    users: int
    items: int
    oldest: NotRequired[str]
    newest: NotRequired[str]
    newest_age_days: NotRequired[float]
    known_items_share: NotRequired[float]


class ValidSummary(InteractionsProfile):
    """What the stage says about the valid tables; the numbers at the top are those of the interactions.

    `refused_of_files`: how many rows of each of a table's files; `opted_out`: how many of the good interactions are of
    users who have opted out, which the next stage removes; `balances`: table -> its account in a few numbers.
    """

    tables: dict[str, TableCounts]
    reasons: dict[str, dict[str, int]]
    refused_of_files: dict[str, list[int]]
    opted_out: int
    balances: dict[str, TableBalance]
    notes: list[str]
    quarantined: int
    message: str


class SplitCounts(TypedDict):
    """How many pairs a split has; models are trained on those of positive weight."""

    rows: int
    positives: int


class HoldoutSummary(TypedDict):
    """How the holdout was made, and how large it is."""

    protocol: str
    days: int | None
    start: str
    users: int
    drawn_from: int  # users who have something held out: all, or so many of them are measured
    warm_users: int
    left_out: int
    pairs: int
    items: int
    share: float


class PreparedSummary(TypedDict):
    """What the stage says about the prepared tables."""

    message: str
    events: int
    rows: int
    users: int
    items: int
    opted_out: int
    train: SplitCounts
    full: SplitCounts
    holdout: HoldoutSummary


class ExposuresSummary(TypedDict):
    """What the stage says about the exposures, and what became of them: see `Tally` of the stage.

    `assumed`: the site logs none, and the published lists were taken for shown. `logged`: how many the night has added
    to the lasting log.
    """

    message: str
    assumed: bool
    exposures: int
    joined: int
    unknown: int
    early: int
    gone: int
    moved: int
    unpublished: int
    exports: list[str]
    logged: int


class FeaturesSummary(TypedDict):
    """What the stage says about the features of a split."""

    message: str
    terms: dict[str, int]
    numeric: list[str]
    fitted_on_items: int
    items: int
    users: int
