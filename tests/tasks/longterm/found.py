"""What may be foretold of a site, by hand."""

from recmodels.offpolicy.trust import Trust
from tasks.longterm.results import ArmForetold, LongTerm, SignalFound

FOUND = LongTerm(
    run_date="2026-03-31",
    outcome="retention14",
    label="of users active in days 8 to 21",
    unit="share",
    window=7,
    users=5_000,
    weeks=9,
    mean=0.4,
    explained=0.4,
    explained_before=0.2,
    signals=[
        SignalFound(signal="depth", label="how far down they looked", gain=0.01, correlation=-0.1),
        SignalFound(signal="visits", label="days on which they came", gain=0.2, correlation=0.5),
    ],
    arms=[ArmForetold(arm="holdback", policy="popularity", trust=Trust.DOUBT, says="holdback: fewer. Doubt it: why.")],
)
