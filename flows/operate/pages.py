"""The pages of `nightrec ui`: of which site they are, and how its health is examined."""

import os
from pathlib import Path

from flows.operate.guard import App
from flows.settings import CONFIG_VARIABLE, STORE_VARIABLE
from flows.settings.site import deployed
from flows.ui.site import Complaint, Examination, Site
from tasks.store.in_step import store_folder
from tasks.store.paths import Store


def site_here() -> Site:
    """The site that the environment names."""
    named, store = os.environ.get(CONFIG_VARIABLE), os.environ.get(STORE_VARIABLE)
    file = Path(named) if named else None
    return site_of(store_folder(store) if store else deployed().store, file)


def site_of(store: Path, file: Path | None) -> Site:
    """A site whose health is what `nightrec doctor` says."""
    folder = Store(store.absolute())
    site = Site(folder, file, lambda: examined(site))
    return site


def examined(site: Site) -> Examination:
    """What `nightrec doctor` says of a site, but for tables elsewhere: pages do not wait, and know no passwords."""
    from flows.operate.doctor import findings
    from flows.operate.doctor.examination import CHECKS, examine

    checks = [check for check in CHECKS if not check.elsewhere]
    seen = examine(findings.Site(site.store, site.settings, site.file, site.problem), checks)
    return Examination(
        well=[one.check.subject for one in seen if not one.findings],
        complaints=[
            Complaint(one.check.subject, found.what, found.where, found.todo, found.wrong, found.fix is not None)
            for one in seen
            for found in one.findings
        ],
    )


def pages_of(site: Site) -> App:
    """The application of the pages."""
    from flows.ui.app import application

    return application(site)
