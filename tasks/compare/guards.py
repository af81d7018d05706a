"""The guards of the gate: what a challenger must not cost, however much better it is. A broken one is a clause."""

from collections.abc import Iterator, Sequence

from recmodels.messages import counted
from tasks.compare.settings import GateSettings
from tasks.compare.steep import Steep, steeper
from tasks.evaluate.domains import domain_of
from tasks.evaluate.summary import ModelSummary
from tasks.offpolicy.values import OffPolicySummary, in_percent
from tasks.train.settings import PRIMARY


def broken_guards(
    settings: GateSettings,
    challenger: ModelSummary,
    incumbent: ModelSummary,
    churn: float | None,
    slopes: Sequence[Steep] = (),
) -> list[str]:
    """The guards that a challenger breaks, each as a clause that says what it costs and what is allowed."""
    return [
        *_losses(settings, challenger, incumbent),
        *_slice_losses(settings, challenger, incumbent),
        *broken_limits(settings, challenger, churn),
        *steeper(slopes, challenger, incumbent),
    ]


def _losses(settings: GateSettings, challenger: ModelSummary, incumbent: ModelSummary) -> Iterator[str]:
    """Coverage, and recall of the tail."""
    for what, limit, slice_name, metric in (
        ("coverage", settings.max_coverage_loss, "all", "coverage"),
        ("recall of tail items", settings.max_tail_loss, "items:tail", "recall"),
    ):
        now, before = challenger.figure(slice_name, metric), incumbent.figure(slice_name, metric)
        if limit is not None and now is not None and before and now < (1 - limit) * before:
            yield f"loses {1 - now / before:.0%} of the champion's {what}, and {limit:.0%} is allowed"


def _slice_losses(settings: GateSettings, challenger: ModelSummary, incumbent: ModelSummary) -> Iterator[str]:
    """Accuracy for any group of users that is large enough, and in any domain."""
    for row in incumbent.slices:
        domain = domain_of(row.slice)
        limit = settings.max_slice_loss if domain is None else settings.max_domain_loss
        if limit is None or row.metric != PRIMARY or row.users < settings.slice_users:
            continue
        now = challenger.figure(row.slice, PRIMARY)
        if now is not None and now < (1 - limit) * row.value:
            loss, users = f"loses {1 - now / row.value:.0%} of NDCG", counted(row.users, "user")
            if domain is None:
                yield f"{loss} for {users} ({row.slice}), and {limit:.0%} is allowed"
            else:
                yield f"{loss} in the domain {domain} ({users}), and {limit:.0%} is allowed (gate.max_domain_loss)"


def not_earned(settings: GateSettings, name: str, earned: OffPolicySummary | None) -> Iterator[str]:
    """The off-policy gain that is asked for and was not shown: nobody is promoted by a value that is not to be trusted.

    A challenger without a value waits until the log has enough of what it proposes: the champion is as good meanwhile.
    """
    least = settings.min_ope_gain
    if least is None:
        return
    asked = f"(gate.min_ope_gain is {least:+.1%})"
    value, base = (earned.of_model(one) if earned and one else None for one in (name, earned and earned.champion))
    if value is None:
        yield f"has no off-policy value yet, as nothing that it proposed is in the log {asked}"
    elif not value.trusted:
        yield f"has an off-policy value that is {value.doubt} {asked}"
    elif base is None or not base.trusted:
        why = f"is {base.doubt}" if base else "is missing"
        yield f"cannot be compared, as the champion's off-policy value {why} {asked}"
    elif value.gain is None or value.gain.low is None:
        yield f"cannot be compared, as the champion earned nothing where places were drawn {asked}"
    elif value.gain.low < least:
        yield f"would have earned {in_percent(value.gain)} more, and all of the interval must be above {asked}"


def broken_bounds(settings: GateSettings, model: ModelSummary) -> Iterator[str]:
    """What holds for whatever is published, the champion included: lists that differ, and are not all of the same."""
    for metric, limit, setting, what in (
        ("identical_lists", settings.max_identical_lists, "max_identical_lists", "of its lists are another user's too"),
        ("gini", settings.max_gini, "max_gini", "is the Gini coefficient of its items"),
        ("average_popularity", settings.max_popularity, "max_popularity", "is the average popularity of its items"),
    ):
        found = model.figure("all", metric)
        if found is not None and limit is not None and found > limit:
            shown = (f"{found:.3f}", f"{limit:g}") if metric == "gini" else (f"{found:.1%}", f"{limit:.1%}")
            yield f"{shown[0]} {what}, and {shown[1]} is the most (gate.{setting})"


def broken_limits(settings: GateSettings, challenger: ModelSummary, churn: float | None) -> Iterator[str]:
    """What needs no champion: items without a history, changed lists, and the time that its training takes."""
    cold, least, most = challenger.figure("all", "cold_share"), settings.min_cold_share, settings.max_cold_share
    if cold is not None and least is not None and cold < least:
        yield f"fills {cold:.1%} of its lists with new items, and {least:.1%} is the least"
    if cold is not None and most is not None and cold > most:
        yield f"fills {cold:.1%} of its lists with new items, and {most:.1%} is the most"
    if churn is not None and settings.max_churn is not None and churn > settings.max_churn:
        yield f"changes {churn:.0%} of the lists of the last export, and {settings.max_churn:.0%} is allowed"
    yield from broken_bounds(settings, challenger)
    minutes = challenger.trained.fit_seconds / 60 if challenger.trained else 0.0
    if settings.max_training_minutes is not None and minutes > settings.max_training_minutes:
        yield f"trains for {minutes:.1f} minutes, and {settings.max_training_minutes:g} are allowed"
