"""What else is in a store: reports, Data Docs, history, feedback, searches, records, copies, and people's own files."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from tasks.forgetting.nights import sweep
from tasks.forgetting.person import Person
from tasks.forgetting.receipt import Place
from tasks.forgetting.request import PREFIX
from tasks.forgetting.search import files_in, holds
from tasks.forgetting.tables import Whose, count, replaced, rewrite
from tasks.forgetting.texts import is_text, read, redact, without_lists
from tasks.store.files import Json, read_json, write_json
from tasks.store.ids import is_export_id
from tasks.store.leftovers import foreign
from tasks.store.paths import Store

WORDS = ("quality", "history", "tuning", "feedback")
"""Folders of ours whose files are texts and tables."""
COPIES = ("inputs", "demo", "landed")
"""Folders of ours that the next night writes anew: a file that has the user goes as a whole."""
USERS_LISTS = re.compile(r'<details class="user"[^>]*>\s*<summary>User \[forgotten\].*?</details>', re.DOTALL)


def forget_in_rest(store: Store, person: Person) -> list[Place]:
    """Remove a user from what is neither an export nor a night; a file that nobody knows is only searched."""
    places = [_reports(store, person)]
    for name in WORDS:
        place = Place(name)
        sweep(store.root / name)
        for path in files_in(store.root / name):
            _attempt(place, path, _in_ours, person)
        places.append(place)
    copies = Place("copies of inputs")
    for name in COPIES:
        sweep(store.root / name)
        for path in files_in(store.root / name):
            _attempt(copies, path, _in_copy, person)
    records, own = Place("records"), Place("files of your own")
    for path in _at_the_root(store):
        _attempt(records, path, _in_ours, person)
    for path in _unknown(store):
        _attempt(own, path, _in_own, person)
    return [*places, copies, records, own]


def _attempt(place: Place, path: Path, change: Callable[[Place, Path, Person], None], person: Person) -> None:
    place.searched += 1
    try:
        change(place, path, person)
    except (OSError, pa.ArrowException, EOFError) as error:
        place.failures.append(f"{path} cannot be read or changed ({type(error).__name__}): look whether you need it")


def _reports(store: Store, person: Person) -> Place:
    """The pages about nights: lists of the user that one shows go, and it is drawn anew from its figures."""
    place, folder = Place("reports"), store.root / "reports"
    sweep(folder)
    files = files_in(folder)
    for path in sorted(files, key=lambda path: path.suffix != ".json"):  # the figures first: pages are made of them
        _attempt(place, path, _in_report if path.suffix == ".json" else _in_ours, person)
    return place


def _in_report(place: Place, path: Path, person: Person) -> None:
    """Draw the page anew, and then replace its figures: cut short in between, it is done again."""
    found = read_json(path)
    if found is None:
        return _in_ours(place, path, person)
    new = without_lists(found, person)
    if new == found:
        return None
    page = path.with_suffix(".html")
    if page.exists():
        with replaced(page) as temporary:
            temporary.write_text(_page_of(new, page, person), encoding="utf-8", errors="surrogateescape")
    write_json(path, new)
    place.texts += 1
    place.removed.append(path.stem)
    return None


def _page_of(figures: Json, page: Path, person: Person) -> str:
    """The page of some figures; where they are of a release that wrote others, the page as it is without the id."""
    from tasks.report.page import html

    try:
        return html(figures)
    except Exception:
        return USERS_LISTS.sub("", person.without(read(page)))


def _in_ours(place: Place, path: Path, person: Person) -> None:
    if path.suffix == ".parquet":
        whose = Whose(person)
        if rows := count(path, whose):
            with replaced(path) as temporary:
                rewrite(path, whose, temporary)
            place.rows += rows
    elif is_text(path):
        place.texts += redact(path, person)


def _in_copy(place: Place, path: Path, person: Person) -> None:
    """A file that is written anew by whoever gives the table again: it goes as a whole."""
    if holds(path, person, among_all=True):
        path.unlink()
        place.removed.append(path.name)


def _in_own(place: Place, path: Path, person: Person) -> None:
    if holds(path, person):
        place.failures.append(f"{path} is none of ours and has the user: it was left alone, remove it yourself")


def _at_the_root(store: Store) -> Iterator[Path]:
    """Records of ours beside the folders, and those of exports."""
    for path in sorted(store.root.glob("*.json*")):
        if path.is_file() and not path.name.startswith(PREFIX):
            yield path


def _unknown(store: Store) -> Iterator[Path]:
    """What people have put there: folders and files that have none of our names."""
    # What was encoded are numbers of the items' texts, under digests: nothing in it is about a user.
    ours = {"nights", "exports", "encoded", "panel", "replays", "reports", "simulations", *WORDS, *COPIES}
    for path in sorted(store.root.iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name not in ours:
            yield from files_in(path)
        elif path.is_file() and not path.is_symlink() and ".json" not in path.name:
            yield path
    for path in foreign(store):
        if not (is_export_id(path.name) and path.is_dir()):  # an export that has lost its manifest is ours
            yield from files_in(path) if path.is_dir() else [path]
