"""The stage foretells the arms of a night, and no night is lost by it."""

from pathlib import Path
from typing import Any

import pytest

from tasks.arms.inputs import ArmsInputs
from tasks.arms.settings import ArmsSettings
from tasks.exposures.settings import FeedbackSettings
from tasks.features.settings import FeatureSettings
from tasks.longterm.stage import foretell_arms, foretold_of_night, longterm
from tasks.store.paths import Night, Store
from tests.tasks.arms.sites import kept, show, write_log
from tests.tasks.longterm.sites import SETTINGS, write_site
from tests.tasks.site import CUTOFF, RUN_DATE

FROM: Any = {"output": "made from"}


def run(night: Night, settings: ArmsSettings = SETTINGS) -> Any:
    return longterm.fn(inputs(night, settings))


def inputs(night: Night, settings: ArmsSettings) -> ArmsInputs:
    return ArmsInputs(night, settings, FeatureSettings(), FeedbackSettings(), CUTOFF, FROM, FROM)


@pytest.mark.slow
def test_a_night_says_what_its_arms_will_have_done_and_is_skipped_when_nothing_is_new(site: Night) -> None:
    manifests = [run(site) for _ in range(2)]
    found = foretold_of_night(site)
    assert found is not None and found.outcome == "retention28"
    assert [one.arm for one in found.arms] == ["holdback", "newer"]
    assert manifests[0]["summary"]["message"] == " ".join(one.says for one in found.arms)
    assert [one["skipped"] for one in manifests] == [False, True]
    assert foretell_arms(inputs(site, ArmsSettings())) is None
    assert foretold_of_night(site) is None and not site.longterm.exists()


@pytest.fixture
def young(tmp_path: Path) -> Night:
    """A site of three weeks."""
    night = Store(tmp_path).night(RUN_DATE)
    write_site(night, n=20)
    write_log(night, [(user, "a", day) for user in range(1, 21) for day in range(1, 21)])
    return night


def test_a_young_site_says_why_nothing_is_foretold(young: Night) -> None:
    message = run(young)["summary"]["message"]
    assert message.startswith("nothing is foretold of the arms yet: The log covers 20 days, and retention28 takes 63")
    assert foretold_of_night(young) is None


def test_a_damaged_file_of_a_past_night_costs_what_is_foretold_and_not_the_night(young: Night) -> None:
    show(young, 5, [(1, 1.0, "ease")] * 50_000)
    (path,) = kept(young, "shown.parquet")
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    assert run(young) is None and foretold_of_night(young) is None
