"""What `requirements.lock` says, for who installs a part of it: `python -m deployments.lock COMMAND`.

The lock pins every package with the hashes of its files, of all platforms. pip takes it whole, with
`--no-deps --require-hashes`, and so there are:

    pins               the pins alone, as constraints
    only REPORT.json   the entries of the packages in a report of pip (`pip install --dry-run --report`)
    merge NEW          the entries of NEW, each with the hashes that the lock has for the same version as well

PyTorch is published twice under one version, with CUDA and without; the lock has the hashes of both, and `merge` keeps
the one that NEW was not made with.
"""

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


def main(command: str, *files: str) -> str:
    """What a command prints."""
    locked = entries(LOCK.read_text(encoding="utf-8"))
    given = [Path(file).read_text(encoding="utf-8") for file in files]
    match command:
        case "pins":
            return text_of({key: set() for key in locked})
        case "only":
            return text_of(only(locked, *given))
        case "merge":
            return text_of(merge(entries(*given), locked))
    raise SystemExit(f"{__doc__}")


if __name__ == "__main__":
    print(main(*sys.argv[1:]), end="")
