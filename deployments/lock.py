"""What `requirements.lock` says, for who installs a part of it: `python -m deployments.lock COMMAND`.

The lock pins every package with the hashes of its files, of all platforms. pip takes it whole, with
`--no-deps --require-hashes`, and so there are:

    pins                         the pins alone, as constraints
    only REPORT.json [WITHOUT]   the entries of the packages in a report of pip (`pip install --dry-run --report`)
    merge NEW                    the entries of NEW, each with the hashes that the lock has for the same version as well
    check FILE                   fails unless the file's hash is in the lock

PyTorch is published several times under one version, with CUDA and without. Which one is wanted is said by the index or
the folder that pip looks into, and pip forgets that where it checks hashes. So PyTorch is fetched by its pin, and then
checked; `merge` keeps the hash of the build that NEW was not made with.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements.lock"
ENTRY = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.M)
HASH = re.compile(r"sha256:[0-9a-f]{64}")

Entries = dict[tuple[str, str], set[str]]
"""The hashes by name and version of the package."""


def entries(text: str) -> Entries:
    """The entries of a lock.

    Raises:
        ValueError: it has a line that is none of an entry.
    """
    found = {(named(one["name"]), one["version"]): set(HASH.findall(one["hashes"])) for one in ENTRY.finditer(text)}
    rest = [line for line in ENTRY.sub("", text).splitlines() if line.strip() and not line.startswith("#")]
    if rest:
        raise ValueError(f"this is no entry of a lock: {rest[0]}")
    return found


def text_of(found: Entries) -> str:
    """A lock with these entries."""
    lines = []
    for (name, version), hashes in sorted(found.items()):
        lines.append(" \\\n".join([f"{name}=={version}", *(f"    --hash={one}" for one in sorted(hashes))]))
    return "\n".join(lines) + "\n"


def named(name: str) -> str:
    """The name of a package as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def only(found: Entries, report: str) -> Entries:
    """The entries of the packages that pip would install."""
    wanted = {named(one["metadata"]["name"]) for one in json.loads(report)["install"]}
    return {key: hashes for key, hashes in found.items() if key[0] in wanted}


def merge(new: Entries, old: Entries) -> Entries:
    """The new entries, each with the hashes that were known of it."""
    return {key: hashes | old.get(key, set()) for key, hashes in new.items()}


def main(command: str, *given: str) -> str:
    """What a command prints."""
    locked = entries(LOCK.read_text(encoding="utf-8"))
    match command, *given:
        case ["pins"]:
            return text_of({key: set() for key in locked})
        case ["only", report, *without]:
            found = only(locked, Path(report).read_text(encoding="utf-8"))
            return text_of({key: hashes for key, hashes in found.items() if key[0] not in without})
        case ["merge", new]:
            return text_of(merge(entries(Path(new).read_text(encoding="utf-8")), locked))
        case ["check", file]:
            check(Path(file), locked)
            return ""
    raise SystemExit(f"{__doc__}")


def check(file: Path, locked: Entries) -> None:
    """Exit with a sentence unless a file that was fetched is one of those in the lock."""
    with file.open("rb") as opened:
        found = f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
    if not any(found in hashes for hashes in locked.values()):
        raise SystemExit(f"{file} is none of the files in {LOCK.name}: see which index or folder pip took it from.")


if __name__ == "__main__":
    print(main(*sys.argv[1:]), end="")
