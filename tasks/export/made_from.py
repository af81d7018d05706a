"""Whether a night's folders still hold what an export was made of: indices are theirs alone."""

from recmodels.errors import NightrecError
from tasks.store.files import Json
from tasks.store.manifests import finished
from tasks.store.paths import Night

GONE = (
    "The model of the export {} is no longer there: the working files of its night were removed or made again, or "
    "somebody was forgotten since. The next night makes another."
)


def check_made_from(night: Night, manifest: Json) -> None:
    """Raise NightrecError unless the folders of a night hold what its export with this manifest was made of."""
    wanted = manifest.get("inputs", {})
    champion, prepared = finished(night.champion), finished(night.prepared)
    features = finished(night.features / "full")
    there = {"champion": champion and champion["output"], "prepared": prepared and prepared["output"]}
    known = champion and champion["inputs"].get("features")
    if not wanted or there != {name: wanted.get(name) for name in there} or known != (features and features["output"]):
        raise NightrecError(GONE.format(manifest["export_id"]))
