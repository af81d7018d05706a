"""The bill of materials names what is installed, with versions, licenses and who needs what."""

from importlib.metadata import distributions, version

import pytest

from deployments.sbom import sbom


@pytest.mark.slow
def test_the_bill_of_materials_names_what_is_installed() -> None:
    found = sbom(distributions())
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert found["metadata"]["component"]["name"] == "nightrec"
    parts = {one["name"].lower(): one for one in found["components"]}
    assert parts["pyarrow"]["purl"] == f"pkg:pypi/pyarrow@{version('pyarrow')}"
    assert parts["pyarrow"]["licenses"]
    needs = {one["ref"]: one["dependsOn"] for one in found["dependencies"]}
    assert parts["pyarrow"]["purl"] in needs[found["metadata"]["component"]["purl"]]
    refs = {one["bom-ref"] for one in found["components"]} | {found["metadata"]["component"]["bom-ref"]}
    assert {needed for all_of_one in needs.values() for needed in all_of_one} <= refs
