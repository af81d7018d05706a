"""What users do early foretells what an arm will have done, as far as that has been seen to be so."""

from datetime import timedelta
from pathlib import Path

import pytest

from recmodels.errors import ConfigError
from recmodels.offpolicy.trust import Trust
from tasks.arms.settings import ArmsSettings
from tasks.features.settings import FeatureSettings
from tasks.longterm.asked import long_term, newest
from tasks.longterm.outcome import Outcome
from tasks.longterm.results import ArmForetold, LongTerm
from tasks.store.paths import Night, Store
from tests.tasks.arms.sites import show
from tests.tasks.longterm.sites import SETTINGS, N, write_site
from tests.tasks.site import RUN_DATE


@pytest.fixture(scope="module")
def found(site: Night) -> LongTerm:
    return asked(site)


def asked(night: Night, outcome: str = "visits28", settings: ArmsSettings = SETTINGS, **more: object) -> LongTerm:
    return long_term(night, settings, FeatureSettings(), 90, Outcome.of(outcome), **more)  # type: ignore[arg-type]


def arm(found: LongTerm, name: str) -> ArmForetold:
    return next(one for one in found.arms if one.arm == name)


def test_an_arm_that_is_new_is_foretold_and_trusted_where_an_old_one_came_as_foretold(found: LongTerm) -> None:
    """Each takes 0.3 visits a day off a week, of which 0.6, 0.36 … are left in the weeks after: 2.8 in four weeks."""
    holdback, newer = arm(found, "holdback"), arm(found, "newer")
    lost = -0.3 * 7 * (0.6 + 0.6**2 + 0.6**3 + 0.6**4)
    assert found.tested is not None and found.tested.arms == ["holdback"]
    assert found.tested.near and found.tested.slope == pytest.approx(1, abs=0.2)
    assert holdback.true is not None and holdback.true_low is not None and holdback.true_high is not None
    assert holdback.true_low < lost < holdback.true_high
    assert (newer.trust, newer.reasons, newer.true) == (Trust.TRUST, [], None)
    assert newer.predicted == pytest.approx(lost, abs=0.4)
    assert newer.low is not None and newer.high is not None and newer.low < newer.predicted < newer.high < 0
    assert newer.says.startswith("newer: -2") and newer.says.endswith("came as they were foretold.")
    assert "days of activity in days 8 to 35 against main is foretold (" in newer.says
    assert " came of it (" in holdback.says and "; after 7 days -2" in holdback.says
    assert newer.users > 200 and newer.users + newer.users_of_main + holdback.users == pytest.approx(N, abs=5)


def test_signals_are_compared_by_what_each_tells_of_users(found: LongTerm) -> None:
    gains = {one.signal: one.gain for one in found.signals}
    assert set(gains) == {"visits", "interactions", "recency", "return_3", "diversity", "new_items"}
    assert gains["visits"] == max(gains.values()) > 2 * gains["new_items"]
    correlations = {one.signal: one.correlation for one in found.signals}
    assert correlations["visits"] > 0.2 and correlations["recency"] < -0.1
    assert found.gain == pytest.approx(gains["visits"], abs=0.01)  # the others know nothing beside it
    text = " ".join(found.about)
    assert "The effects of holdback came as they were foretold: true against foretold has a slope of" in text
    assert found.foretold_mean == pytest.approx(found.true_mean, rel=0.1)


def test_what_no_early_signal_sees_is_found_out_and_doubted(tmp_path: Path) -> None:
    """The holdback keeps users away later, too: what comes of it is more than was foretold, and so may be of newer."""
    night = Store(tmp_path).night(RUN_DATE)
    write_site(night, later={"holdback": -0.08})
    found = asked(night, arms=["newer"])
    assert [one.arm for one in found.arms] == ["newer"]
    assert found.tested is not None and found.tested.slope is not None and found.tested.slope > 1.3
    assert not found.tested.near
    newer = arm(found, "newer")
    assert newer.trust is Trust.DOUBT and newer.reasons[0].startswith(
        "what came of holdback was not as foretold (a slope"
    )
    assert newer.predicted is not None and newer.scaled is not None
    assert newer.scaled[0] == pytest.approx(found.tested.slope * newer.predicted)
    assert newer.scaled[1] < newer.scaled[0] < newer.scaled[2] < 0
    assert "Doubt it: what came of holdback" in newer.says and "If it goes on as those did, -" in newer.says


def test_without_an_arm_that_is_known_it_is_doubted(site: Night) -> None:
    found = asked(site, "visits60", arms=["newer"], signals=["visits"])
    assert [one.arm for one in found.arms] == ["newer"] and found.tested is None
    assert arm(found, "newer").reasons == [
        "no effect is known yet that shows whether what tells users apart also tells what arms do"
    ]
    assert [one.signal for one in found.signals] == ["visits"]


def test_arms_of_which_nothing_can_be_said_are_refused(site: Night) -> None:
    found = asked(site, window=14, signals=["visits"])
    assert arm(found, "newer").says == (
        "newer: refused, as its first 14 days take 4 more days; --window asks for fewer."
    )
    assert arm(found, "newer").trust is Trust.REFUSE and arm(found, "newer").predicted is None
    later = ArmsSettings.model_validate(
        {"groups": {**SETTINGS.model_dump()["groups"], "next": {"share": 0.1, "policy": "popularity"}}}
    )
    found = asked(site, settings=later, arms=["next"], signals=["visits"])
    assert found.arms[0].says == "next: refused, as its lists are yet to be published."


def test_names_that_do_not_exist_and_histories_that_are_too_short_are_mistakes(site: Night) -> None:
    with pytest.raises(ConfigError, match="--arm nobody is unknown: there are holdback, newer"):
        asked(site, arms=["nobody"])
    with pytest.raises(ConfigError, match="--surrogates mood is unknown: there are visits, "):
        asked(site, signals=["mood"])
    with pytest.raises(ConfigError, match="--surrogates clicks takes a log of what was shown, which this site"):
        asked(site, signals=["clicks"])
    with pytest.raises(ConfigError, match=r"covers 154 days, and visits200 takes 235 with 7 days of early signals"):
        asked(site, "visits200")
    with pytest.raises(ConfigError, match="are not in the store any more"):
        asked(site.store.night(RUN_DATE - timedelta(days=1)))
    assert newest(site.store).run_date == RUN_DATE
    with pytest.raises(ConfigError, match="No night of the store"):
        newest(Store(site.store.root / "elsewhere"))


def test_what_was_shown_is_left_out_by_itself_where_its_log_is_too_short(site: Night) -> None:
    show(site, 5, [(user, 1.0, "ease") for user in range(1, 200)])
    found = asked(site)
    assert "clicks" not in {one.signal for one in found.signals}
    assert found.notes == [
        "What was shown is logged of the last 5 days only, so shown, clicks, satisfaction, depth are left out: a "
        "larger feedback.keep_days keeps more, and --surrogates takes what it names."
    ]
    with pytest.raises(ConfigError, match="covers"):
        asked(site, signals=["clicks"])
