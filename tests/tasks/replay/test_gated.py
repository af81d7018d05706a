"""What the gate would have published, night by night."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np

from tasks.compare.settings import GateSettings
from tasks.replay.gated import GATE, Published, by_the_gate
from tasks.replay.kept import kept
from tasks.store.paths import Store
from tests.tasks.replay.test_panel import keep

USERS, SHOWN = 60, {"u1": ["1", "2"]}
DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(4)]


def nights(root: Path, als: list[float | None], ease: list[float]) -> Store:
    """Nights on which two models have these figures of the holdout, users differing alike for both."""
    store, draw = Store(root), np.random.default_rng(0)
    for run_date, *values in zip(DAYS, als, ease, strict=True):
        habit = draw.normal(0, 0.01, USERS)
        for model, value in zip(("als", "ease"), values, strict=True):
            if value is not None:
                keep(store, run_date, model, {f"u{n}": value + habit[n] for n in range(USERS)}, SHOWN)
    return store


def test_a_champion_is_replaced_only_by_one_that_is_clearly_better(tmp_path: Path) -> None:
    store = nights(tmp_path, [0.30, 0.30, 0.30, 0.30], [0.20, 0.301, 0.36, 0.30])
    chosen, told = by_the_gate(kept(store), GateSettings())
    assert [one.model for one in told] == ["als", "als", "ease", "ease"]
    assert told[0].reason == "the highest NDCG@2 of 2 models"
    assert told[1].reason.startswith("the champion stays: ease ")
    assert told[2].reason.startswith("promoted: NDCG@2 +20")
    assert {one.model for one in chosen} == {GATE}
    assert [one.folder.name for one in chosen] == ["als", "als", "ease", "ease"]


def test_a_night_without_its_champion_publishes_nothing_and_the_champion_stays(tmp_path: Path) -> None:
    store = nights(tmp_path, [0.30, None, 0.30, 0.30], [0.20, 0.20, 0.20, 0.20])
    chosen, told = by_the_gate(kept(store), GateSettings())
    assert [one.model for one in told] == ["als", None, "als", "als"]
    assert told[1].reason.startswith("The champion als could not be measured tonight")
    assert [one.run_date for one in chosen] == [DAYS[0], *DAYS[2:]]


def test_a_pinned_model_is_published_whatever_the_figures_say(tmp_path: Path) -> None:
    store = nights(tmp_path, [0.30] * 4, [0.20] * 4)
    _, told = by_the_gate(kept(store), GateSettings(pinned_model="ease"))
    assert [one.model for one in told] == ["ease"] * 4
    assert told[0] == Published(
        DAYS[0], "ease", "pinned in the configuration; the highest NDCG@2 of 2 models is that of als"
    )
