"""Part of stage 4: the rules of the lists, as the candidates take them."""

from pathlib import Path

from tasks.features.settings import FeatureSettings
from tasks.lists.rules import FILE, translate
from tasks.lists.settings import ListSettings
from tasks.store.files import Json
from tasks.store.manifests import Manifest, outputs
from tasks.store.paths import Night
from tasks.store.stage import logged_stage, stage_task
from tasks.store.versions import code_of


@stage_task("lists")
def list_rules(
    night: Night,
    settings: ListSettings,
    features: FeatureSettings,
    prepared: Manifest,
    described: Manifest,
    fresh: bool = False,
) -> Manifest:
    """Write the rules of the candidates' lists to `features/rules/`.

    Raises:
        ConfigError: a rule names a column or category that the items do not have.
    """

    def build(out: Path) -> Json:
        translated = translate(night, "train", settings, features, note=True)
        translated.save(out / FILE)
        return {"message": f"{translated.allowed.sum():,} of {len(translated.allowed):,} items may be listed"}

    parameters = settings.model_dump(exclude={"k"}) | {"roles": features.roles}
    inputs = outputs(prepared=prepared, described=described)
    return logged_stage(
        "lists", night.list_rules, build, code=code_of(__name__), inputs=inputs, parameters=parameters, fresh=fresh
    )
