"""The bill of materials of an environment, as CycloneDX: `python -m deployments.sbom > sbom.cdx.json`.

It names what is installed beside nightrec, each with its version, license and what it depends on; the image has it at
`/opt/nightrec/sbom.cdx.json`, for scanners and for who must say what runs on their machines.
"""

import json
import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from typing import Any

from deployments.lock import named

ROOT = "nightrec"
REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*")


def sbom(installed: Iterable[Distribution]) -> dict[str, Any]:
    """The document, the same for the same environment."""
    found = {named(one.metadata["Name"]): one for one in installed if one.metadata["Name"]}
    refs = {name: f"pkg:pypi/{name}@{one.version}" for name, one in sorted(found.items())}
    others = [component(refs[name], found[name]) for name in refs if name != ROOT]
    metadata = {"component": component(refs[ROOT], found[ROOT]) | {"type": "application"}} if ROOT in refs else {}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": others,
        "dependencies": [
            {"ref": ref, "dependsOn": sorted({refs[needed] for needed in needs(found[name]) if needed in refs})}
            for name, ref in refs.items()
        ],
    }


def component(ref: str, one: Distribution) -> dict[str, Any]:
    about: dict[str, Any] = {"type": "library", "bom-ref": ref, "purl": ref}
    about |= {"name": one.metadata["Name"], "version": one.version}
    if expressions := one.metadata.get_all("License-Expression"):
        return about | {"licenses": [{"expression": expressions[0]}]}
    classes = [one for one in one.metadata.get_all("Classifier") or [] if one.startswith("License ::")]
    names = [text.rpartition(" :: ")[2] for text in classes]
    return about | ({"licenses": [{"license": {"name": name}} for name in names]} if names else {})


def needs(one: Distribution) -> list[str]:
    """The packages that one asks for; those of extras that are installed are among them."""
    matches = (REQUIREMENT.match(text) for text in one.requires or [])
    return [named(match[0]) for match in matches if match]


if __name__ == "__main__":
    json.dump(sbom(distributions()), sys.stdout, indent=2)
    print()
