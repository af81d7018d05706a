"""What a switch would do over many nights: policies side by side on the same simulated users, and a verdict on each."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from prefect import flow
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run as this_run

from flows.no_storage import keep_nothing
from flows.settings.options import SimulateOptions
from flows.settings.site import NightConfig, deployed
from recmodels.compute.memory import at_most
from recmodels.errors import NightrecError
from recmodels.simulation.behaviors import check as check_behavior
from tasks.report.artifacts import Progress, shown
from tasks.simulate.artifacts import show_verdict
from tasks.simulate.begin import begin, check_room, named
from tasks.simulate.people import last_prepared, people
from tasks.simulate.plan import Plan, planned
from tasks.simulate.policy import nights_of
from tasks.simulate.verdict import judge
from tasks.store.disk import in_words, told
from tasks.store.events import log_event
from tasks.store.in_step import offer
from tasks.store.paths import Store
from tasks.store.simulations import Simulation, retain_simulations, working_in
from tasks.train.process import night_over


def simulation_name() -> str:
    options = SimulateOptions.model_validate(this_run.parameters["options"])
    return f"simulate-{options.name}" if options.name else "simulate"


@keep_nothing
@flow(name="simulate", flow_run_name=simulation_name, persist_result=False)
def simulate(options: SimulateOptions) -> str:
    """What switching the model, exploration or re-ranked lists would do to the site over many nights.

    Users who are like the site's own choose from the lists of each policy, and models learn from what they chose. The
    artifact *simulation* has a row a policy, and says where the page is.

    It holds the store as little as it slows nights down: they go on beside it.

    **When it fails**, its message says why, and what is done is kept: run it again with the same settings.
    """
    return str(simulated.fn(deployed(), options).page)


@keep_nothing
@flow(name="simulate", flow_run_name=simulation_name, persist_result=False)
def simulated(config: NightConfig, options: SimulateOptions) -> Simulation:
    """Run a simulation to its end, or go on with it; one that is complete already is left as it is.

    Raises:
        ConfigError: the settings are wrong, or there is another one of that name.
        NightrecError: the policy that all others are compared with failed, or somebody is at work in it.
    """
    store, settings = Store(config.store.absolute()), options.applied_to(config)
    night = last_prepared(store) if options.from_store else None
    check_behavior(settings.behavior.model, settings.behavior.parameters, fitted=night is not None)
    models = config.enabled_models()
    plan = planned(settings, models, config.export, config.exploration, night, options.policies or None)
    simulation = named(store, plan, night, options.name)
    with in_words(), working_in(simulation), at_most(config.memory):
        begin(simulation, plan, night, options.fresh)
        if simulation.complete and not options.fresh:
            log_event("simulate", "skipped")
            return simulation
        check_room(simulation, plan, config.disk)
        if night is not None:
            people(simulation, plan, night, config.features)
        with ended_together():
            failed = side_by_side(simulation, plan, settings.limit_hours)
        judge(simulation, plan, failed)
        shown(lambda: show_verdict(simulation))
        if not failed:
            shutil.rmtree(simulation.people, ignore_errors=True)
        retain_simulations(store, settings.keep)
    offer(store)
    return simulation


@contextmanager
def ended_together() -> Iterator[None]:
    """Whatever is started inside ends with the block, however that ends."""
    over = Event()
    token = night_over.set(over)
    try:
        yield
    finally:
        over.set()
        night_over.reset(token)


def side_by_side(simulation: Simulation, plan: Plan, limit_hours: float) -> dict[str, str]:
    """The nights of all policies, as many at a time as there are cores; why some failed, by name.

    Raises:
        NightrecError: all of them did, or the one that they are compared with.
    """
    progress = Progress(len(plan.policies) * plan.repetitions * plan.nights, "simulation-progress", "Nights simulated")
    going: dict[str, PrefectFuture[None]] = {
        name: nights_of.submit(simulation, plan, name, limit_hours, progress.more) for name in plan.policies
    }
    for future in as_completed(list(going.values())):
        future.wait()
    failed = {}
    for name, future in going.items():
        if not future.state.is_completed():
            error = future.result(raise_on_failure=False)
            failed[name] = (told(error) if isinstance(error, Exception) else None) or str(error)
    if plan.reference in failed:
        raise NightrecError(f"Nothing can be compared with {plan.reference}, which failed: {failed[plan.reference]}")
    return failed
