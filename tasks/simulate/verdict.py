"""What a simulation comes to: policies compared, as JSON for programs and as a page for people."""

from collections.abc import Sequence
from dataclasses import asdict

from recmodels.simulation.behaviors import OWN
from recmodels.simulation.comparison import Comparison, compare
from recmodels.simulation.fit_check import FIGURES
from recmodels.simulation.record import FIT, n_users_of
from recmodels.simulation.recorded import runs_of
from recmodels.simulation.wording import foresight, headline, label, offpolicy, sentence
from tasks.report.verdict import About, Likeness, verdict_html
from tasks.simulate.plan import Plan
from tasks.simulate.settings import ORACLE
from tasks.store.events import logged
from tasks.store.files import Json, now_text, read_json, replaced, write_json
from tasks.store.simulations import Simulation
from tasks.store.stage import stage_task

LIMITS = (
    "How people react to lists is assumed, and no log of a site tells it: how far down they look, how often they turn "
    "to their list at all, how soon they want something else, and what makes them come back.",
    "Tastes have as many dimensions as the model says, and move only towards what is chosen: fashions, seasons, prices "
    "and what others say are not there.",
    "Lists are all that the site does: search, mail and the front page are what users find by themselves.",
)
"""What nightrec's own behavior model does not know, the gravest first."""
LIMITS_OF_FITTED = (
    "Tastes are taken from what users chose, and that was brought about by the lists they had: what they were never "
    "shown looks as if nobody liked it, which favors models that are like the one that is published.",
    "How satisfied users are is in no log: it is set so that half of what they find by themselves satisfies.",
)


@stage_task("verdict")
def judge(simulation: Simulation, plan: Plan, failed: dict[str, str]) -> None:
    """Compare the policies that have come to their end, and write what is found, the page first.

    Args:
        simulation: its nights are over.
        plan: of it.
        failed: why policies are missing, by name.
    """
    with logged("verdict") as line:
        there = {name: simulation.policy(name) for name in plan.policies if name not in failed}
        n_users = n_users_of(there[plan.reference])
        found = compare(
            {name: runs_of(folder, n_users, plan.seed) for name, folder in there.items()},
            plan.reference,
            says={name: plan.policies[name].says for name in there},
            unattainable=[name for name in there if plan.policies[name].model == ORACLE],
            seed=plan.seed,
        )
        fit = read_json(there[plan.reference] / FIT)
        about = about_of(simulation, plan, n_users, fit, failed)
        with replaced(simulation.page) as temporary:
            temporary.write_text(verdict_html(about, found), encoding="utf-8")
        write_json(simulation.verdict, verdict_json(simulation, about, fit, found))
        line["text"] = f"{len(there)} policies, {simulation.page}"


def about_of(simulation: Simulation, plan: Plan, n_users: int, fit: Json | None, failed: dict[str, str]) -> About:
    """What is said of a simulation as a whole."""
    night = (simulation.about or {}).get("night")
    return About(
        name=simulation.name,
        of=f"the site as of {night}" if night else "an invented market",
        users=n_users,
        items=fit["items"] if fit else plan.items,
        k=plan.k,
        seed=plan.seed,
        behavior="a model of nightrec's own" if plan.behavior.model == OWN else f"the model {plan.behavior.model}",
        limits=_limits(plan),
        likeness=_likeness(fit) if fit else (),
        failed=failed,
    )


def _limits(plan: Plan) -> Sequence[str]:
    if plan.behavior.model != OWN:
        return ()
    return (*LIMITS, *LIMITS_OF_FITTED) if plan.from_store else LIMITS


def _likeness(fit: Json) -> list[Likeness]:
    """The figures that a market was compared with its site by, those that both have."""
    return [Likeness(what, fit["site"].get(name), fit["simulated"].get(name)) for name, what in FIGURES.items()]


def verdict_json(simulation: Simulation, about: About, fit: Json | None, found: Comparison) -> Json:
    """What `verdict.json` says, and `nightrec simulate --json` prints. Keys are never renamed or removed."""
    begun = simulation.about or {}
    sentences = {one.policy: {"label": label(one), "sentence": sentence(one, found)} for one in found.standings}
    return {
        "started_at": begun.get("started_at"),
        "ended_at": now_text(),
        "night": begun.get("night"),
        "page": str(simulation.page),
        **{name: value for name, value in asdict(about).items() if name != "likeness"},
        "fit": fit,
        "sentences": sentences,
        "headline": headline(found) or None,
        "foresight_says": foresight(found.foresight) if found.foresight else None,
        "offpolicy_says": offpolicy(found.offpolicy) or None,
        **found.json(),
    }
