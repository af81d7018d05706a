"""A user's rows leave the working files of the nights, and the models that were trained on them go.

In a night's index of users the number stays, so that all others keep theirs. It is changed last of all: as long as it
names the user, a run that was cut short knows which models and which numbers are theirs.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recmodels.data import layout
from tasks.forgetting.person import Person
from tasks.forgetting.receipt import Place
from tasks.forgetting.request import Request
from tasks.forgetting.search import files_in, holds
from tasks.forgetting.tables import Whose, count, replaced, rewrite
from tasks.forgetting.texts import STAGE, is_text, redact
from tasks.replay.run import is_running
from tasks.store.files import TEMPORARY, digest, read_json, sha256, write_json
from tasks.store.manifests import describe, manifest_of
from tasks.store.paths import Night, Store
from tasks.store.records import changed
from tasks.train.warm import nights_of

TRAINED = ("models", "toplists", "arm_models", "replicates")
"""Folders of a night with what was trained on the user, by model; and the champion."""


def ways_of_writing(store: Store, person: Person) -> list[Person]:
    """The id, and those in the store that differ from it only by blanks at their ends: hashes of them differ, too."""
    found = {person.user_id}
    for night in store.all_nights():
        for path in (night.prepared / layout.USERS, night.valid / "users.parquet", night.raw / "users.parquet"):
            try:
                ids = pq.read_table(path, columns=["user_id"])["user_id"]
            except (OSError, pa.ArrowException):
                continue
            found.update(map(str, ids.filter(pa.array(person.rows_of(ids))).unique().to_pylist()))
    return [person, *(Person(one) for one in sorted(found - {person.user_id}))]


def forget_in_nights(store: Store, person: Person, request: Request) -> Place:
    """Remove a user's rows from all nights; the files of a damaged night that can be read are cleaned, too."""
    place = Place("nights")
    _remove_heirs(store.all_nights(), person, place)
    for night in store.all_nights():
        before = (place.rows, place.texts)
        _forget_in_night(night, person, request, place)
        if (place.rows, place.texts) != before:
            place.removed.append(str(night.run_date))
    return place


def forget_in_panels(store: Store, person: Person, request: Request) -> Place:
    """Remove a user's rows, and the pairs they are in, from what nights have measured of the long run."""
    place = Place("panel")
    sweep(store.root / "panel")
    for run_date, folder in store.panels().items():
        before = place.rows
        for path in files_in(folder):
            try:
                _forget_in_file(path, Whose(person), request, place)
            except (OSError, pa.ArrowException, EOFError) as error:
                place.failures.append(_unreadable(path, error))
        _describe_again(folder / STAGE, request)
        if place.rows != before:
            place.removed.append(str(run_date))
    return place


def forget_in_replays(store: Store, person: Person, request: Request) -> Place:
    """Remove a user's rows from what replays keep of users, and from what one that was cut short has of the site."""
    place = Place("replays")
    for name, replay in store.replays().items():
        before = (place.rows, place.texts)
        if is_running(replay):
            place.failures.append(f"the replay {name} is running: forget the user again when it has ended")
        sweep(replay.root)
        _remove_heirs(replay.all_nights(), person, place)
        data = Store(replay.root / "data")
        for night in (*replay.all_nights(), *data.all_nights()):
            _forget_in_night(night, person, request, place)
        for path in (*files_in(data.root / "quality"), *(one for one in replay.root.glob("*.*") if one.is_file())):
            try:
                _forget_in_file(path, Whose(person), request, place)
            except (OSError, pa.ArrowException, EOFError) as error:
                place.failures.append(_unreadable(path, error))
        if (place.rows, place.texts) != before:
            place.removed.append(name)
    return place


def _forget_in_night(night: Night, person: Person, request: Request, place: Place) -> None:
    sweep(night.folder)
    shutil.rmtree(night.all_parts, ignore_errors=True)  # a night that goes on makes them again
    index = night.prepared / layout.USERS
    numbers = _numbers_of(index, person, place)
    for folder in _models_of(night) if numbers or not index.exists() else ():
        if numbers or any(holds(path, person) for path in files_in(folder)):
            shutil.rmtree(folder)
            place.models += 1
    base = night.prepared / layout.BASE  # tables of an earlier night, with the numbers of then
    whose, then = Whose(person, numbers), Whose(person, _numbers_of(base / layout.USERS, person, place))
    indices = [index, base / layout.USERS]
    for path in [*(path for path in files_in(night.folder) if path not in indices), *indices]:
        try:
            _forget_in_file(path, then if path.is_relative_to(base) else whose, request, place)
        except (OSError, pa.ArrowException, EOFError) as error:
            place.failures.append(_unreadable(path, error))
    for manifest in night.folder.rglob(STAGE):
        _describe_again(manifest, request)


def _remove_heirs(nights: Sequence[Night], person: Person, place: Place) -> None:
    """Remove the models that went on from one of a night that knew the user, or of which nobody can tell any more."""
    knew = {night.run_date for night in nights if _may_know(night, person)}
    for night in nights:
        for folder in _models_of(night):
            about = manifest_of(folder)
            if about and knew.intersection(nights_of(about["summary"].get("warm", {}), night.run_date)):
                shutil.rmtree(folder)
                place.models += 1


def _may_know(night: Night, person: Person) -> bool:
    index = night.prepared / layout.USERS
    try:
        return not index.exists() or bool(_numbers_in(index, person))
    except (OSError, pa.ArrowException):
        return True


def _models_of(night: Night) -> list[Path]:
    folders = [path for name in TRAINED for path in (night.folder / name).glob("*") if path.is_dir()]
    return [path for path in [*folders, night.champion] if path.is_dir()]


def _numbers_of(index: Path, person: Person, place: Place) -> tuple[int, ...]:
    """`_numbers_in` an index; none where it cannot be read."""
    try:
        return _numbers_in(index, person)
    except (OSError, pa.ArrowException) as error:
        place.failures.append(_unreadable(index, error))
        return ()


def _numbers_in(index: Path, person: Person) -> tuple[int, ...]:
    """The numbers of a user in a night's index; none where the night does not know them."""
    if not index.exists():
        return ()
    table = pq.read_table(index, columns=["user_id"])
    return tuple(np.flatnonzero(person.rows_of(table["user_id"])).tolist())


def _forget_in_file(path: Path, whose: Whose, request: Request, place: Place) -> None:
    if not path.exists():
        return
    place.searched += 1
    if path.suffix == ".parquet":
        place.rows += forget_in_table(path, whose, request)
    elif is_text(path):
        place.texts += redact(path, whose.person, before=lambda changed: _note(changed, request))


def forget_in_table(path: Path, whose: Whose, request: Request) -> int:
    """Replace a Parquet file by one without the user's rows, if it has any; how many it had."""
    if not (rows := count(path, whose)):
        return 0
    _note(path, request)
    with replaced(path) as temporary:
        rewrite(path, whose, temporary)
    return rows


def _note(path: Path, request: Request) -> None:
    """Note that a file of a stage will change, unless it was damaged before: its manifest is to go on saying that."""
    entry = _entry_of(path)
    if entry is not None and entry["sha256"] == sha256(path):
        request.touch(path)


def _entry_of(path: Path) -> Any:
    """What the manifest of its stage says of a file; None where it is of no stage."""
    for folder in path.parents[:4]:
        if (manifest := read_json(folder / STAGE)) is not None:
            name = path.relative_to(folder).as_posix()
            return next((file for file in manifest.get("files", []) if file.get("path") == name), None)
    return None


def _describe_again(path: Path, request: Request) -> None:
    """Bring a stage's manifest up to date with the files that were changed in it."""
    manifest, folder = read_json(path) or {}, path.parent
    there: Any = manifest.get("files", [])
    files = [
        describe(found, folder) if request.was_touched(found := folder / file["path"]) and found.exists() else file
        for file in there
    ]
    if files and files != there:
        output = digest([(file["path"], file["sha256"]) for file in files])
        write_json(path, changed(manifest, manifest | {"files": files, "output": output}))


def sweep(folder: Path) -> None:
    """Remove what a killed run left half-written: files and folders."""
    for leftover in sorted(folder.rglob(f"{TEMPORARY}*")):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _unreadable(path: Path, error: Exception) -> str:
    return f"{path} cannot be read or changed ({type(error).__name__}): remove it, or make its night again"
