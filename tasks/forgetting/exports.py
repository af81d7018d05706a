"""A user's rows leave the exports: published, withdrawn, and those whose manifest cannot be read.

The new files and the new manifest of an export are written aside, and put in place when all of them are there: files,
manifest, pointer. A run that was cut short between them is taken up by the next.
"""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recmodels.errors import ConfigError
from recmodels.published.pseudonyms import check_of, hashed, key_in
from tasks.export.listed import write_listed
from tasks.export.writer import describe_part
from tasks.forgetting.person import Person
from tasks.forgetting.receipt import Place
from tasks.forgetting.tables import Whose, count, replaced, rewrite
from tasks.store.exports import REWRITTEN, complete_rewrites, manifest_of, put_in_place, switching
from tasks.store.files import Json, read_json, sha256, write_json
from tasks.store.paths import Store
from tasks.store.records import changed

LIMITS = ("min_user", "max_user")
LISTED = "listed/"


def keys_at_hand(store: Store) -> None:
    """Raise ConfigError where an export has hashed ids and the key to find the user's is not there."""
    for folder in store.export_folders():
        if variable := (read_json(store.export_manifest(folder.name)) or {}).get("hash_key_env"):
            key_in(variable)


def forget_in_exports(store: Store, people: list[Person]) -> Place:
    """Remove the rows of a user, by each way that the site writes the id."""
    place = Place("exports")
    with switching(store):
        complete_rewrites(store)
        for folder in store.export_folders():
            try:
                _forget_in_export(store, folder, people, place)
            except (OSError, pa.ArrowException, ConfigError, KeyError, TypeError) as error:
                what = str(error) if isinstance(error, ConfigError) else f"a file cannot be read or changed: {error}"
                place.failures.append(f"export {folder.name}: {what}"[:300])
        for path in sorted((store.exports / "manifests" / "removed").glob("*.json")):
            _without_limits(path)
    return place


def _forget_in_export(store: Store, folder: Path, people: list[Person], place: Place) -> None:
    about = store.export_manifest(folder.name)
    manifest = manifest_of(store, folder.name)
    if manifest is None:
        _without_manifest(folder, people, place)
        state = "is damaged" if about.exists() else "is missing"
        place.failures.append(
            f"the manifest {about} {state}: rows of the user are gone from the files of the export, but its hashes "
            f"are as they were; publish the night {folder.name.partition('.')[0]} again with --fresh"
        )
        return
    whose = [Whose(one) for one in _published_as(manifest, people)]
    rows = _rewrite_export(store, manifest, whose, place)
    if rows:
        place.rows += rows
        place.removed.append(folder.name)


def _published_as(manifest: Json, people: list[Person]) -> list[Person]:
    """The user as an export has them."""
    if not (variable := manifest.get("hash_key_env")):
        return people[:1]  # blanks make no difference there
    key = key_in(variable)
    if manifest.get("hash_key_check") not in (None, check_of(key)):
        raise ConfigError(f"its ids are hashed by another key than that in {variable}: put that one there")
    return [Person(hashed(one.user_id, key)) for one in people]


def hashes_of(store: Store, people: list[Person]) -> list[Person]:
    """The user as exports with hashed ids have them, by the keys that are at hand."""
    manifests = [read_json(store.export_manifest(folder.name)) or {} for folder in store.export_folders()]
    variables = {variable for manifest in manifests if (variable := manifest.get("hash_key_env"))}
    return [Person(hashed(one.user_id, key_in(variable))) for variable in sorted(variables) for one in people]


def _rewrite_export(store: Store, manifest: Json, whose: list[Whose], place: Place) -> int:
    """Remove a user's rows from an export; how many there were."""
    export_id = manifest["export_id"]
    aside, new = store.exports / f"{REWRITTEN}{export_id}", dict(manifest)
    rows, files = 0, []
    for file in manifest["files"]:
        path = store.export(export_id) / file["path"]
        place.searched += 1
        mine = [one for one in whose if "user_id" in file.get("schema", {}) and count(path, one)]
        if not mine:
            files.append(file)
            continue
        target = aside / file["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        sound = sha256(path) == file["sha256"]
        gone = pa.concat_tables([_rewritten(path, target, one) for one in mine])
        rows += len(gone)
        if file["path"].startswith("topk/"):
            of_history = gone.filter(pc.not_equal(gone["source"].cast(pa.string()), "cold"))
            users, warm = (len(pc.unique(one["user_id"])) for one in (gone, of_history))
            new["users"], new["rows"] = new["users"] - users, new["rows"] - len(gone)
            new["cold_users"] -= users - warm
        # A file that was damaged before stays one that is not what was published: nothing is made good by this.
        entry = {key: value for key, value in file.items() if key not in LIMITS}
        files.append(describe_part(target, aside) if sound else entry)
    if rows:
        files = _counted_again(store, manifest, files, aside)
        new |= {"files": files, "forgotten": manifest.get("forgotten", 0) + 1}
        write_json(aside / "manifest.json", changed(manifest, new))
        put_in_place(store, aside)
    return rows


def _counted_again(store: Store, manifest: Json, files: list[Json], aside: Path) -> list[Json]:
    """The files of an export, the counts of items made again aside from what is left of the lists."""
    others = [file for file in files if not file["path"].startswith(LISTED)]
    if len(others) == len(files):  # an export of an earlier release
        return files
    folder = store.export(manifest["export_id"])
    names = [file["path"] for file in files if file["path"].startswith("topk/")]
    topk = [aside / name if (aside / name).exists() else folder / name for name in names]
    write_listed(aside, date.fromisoformat(manifest["run_date"]), topk)
    new = [describe_part(path, aside) for path in sorted((aside / LISTED).glob("*.parquet"))]
    return sorted([*others, *new], key=lambda file: str(file["path"]))


def _rewritten(path: Path, target: Path, whose: Whose) -> pa.Table:
    """Write a file aside, from where it is already if it was rewritten for another way of writing the id."""
    if not target.exists():
        return rewrite(path, whose, target, published=True)
    with replaced(target) as temporary:
        return rewrite(target, whose, temporary, published=True)


def _without_manifest(folder: Path, people: list[Person], place: Place) -> None:
    """Remove the rows of a user from the files of an export of which nothing is known."""
    for path in sorted(folder.rglob("*.parquet")):
        place.searched += 1
        whose = Whose(people[0])
        if "user_id" in pq.read_schema(path).names and (rows := count(path, whose)):
            with replaced(path) as temporary:
                rewrite(path, whose, temporary)
            place.rows += rows
            place.removed = list(dict.fromkeys([*place.removed, folder.name]))


def _without_limits(path: Path) -> None:
    """The record of a removed export keeps nobody's id."""
    about = read_json(path) or {}
    files = about.get("files", [])
    if any(set(LIMITS) & set(file) for file in files if isinstance(file, dict)):
        kept = [{key: value for key, value in file.items() if key not in LIMITS} for file in files]
        write_json(path, about | {"files": kept})
