"""What nights need besides a store: settings, inputs, packages."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires, version

from packaging.requirements import Requirement

from flows.operate.doctor.findings import Finding, Site
from flows.settings.checks import check_installed
from flows.settings.site import FILE
from recmodels.errors import ConfigError, DataRefused
from tasks.ingest.reading.files import check_inputs

NAME = "nightrec"


def settings(site: Site) -> Iterator[Finding]:
    """The settings can be read, what they name is there, and their models can be trained here."""
    where = str(site.file or FILE)
    if site.problem:
        yield Finding(site.problem.rstrip("."), where, "correct it; what follows is examined with the defaults")
        return
    try:
        if (tables := site.config.tables()) is not None:
            check_inputs(tables, exposures=True)
    except (ConfigError, DataRefused) as error:
        yield Finding(str(error).rstrip("."), where, "correct the path, or bring the files back")
    try:
        check_installed(site.config)
    except ConfigError as error:
        yield Finding(str(error).rstrip("."), where, "install it, or train the model in a pool that has it")


def versions(_: Site) -> Iterator[Finding]:
    """The packages that nightrec stands on have versions that it knows."""
    for text in requires(NAME) or []:
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(wanted.name)
        except PackageNotFoundError:
            yield Finding("it is not installed", wanted.name, f"pip install '{wanted.name}{wanted.specifier}'")
            continue
        if not wanted.specifier.contains(there, prereleases=True):
            what = f"version {there} is installed, and nightrec {distribution(NAME).version} needs {wanted.specifier}"
            yield Finding(what, wanted.name, f"pip install '{wanted.name}{wanted.specifier}'")
