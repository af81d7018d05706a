"""What readers see: the pointer, the link, the manifests, and the files of the exports."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flows.operate.doctor.findings import Finding, Site
from recmodels.errors import NightrecError
from tasks.publish.restore import restore
from tasks.store.exports import manifest_of, mend_pointer, pointer_of, relink, whole_exports
from tasks.store.files import sha256
from tasks.store.ids import age_order
from tasks.store.leftovers import without_manifest
from tasks.store.manifests import damage, lacking
from tasks.store.records import Pointer


def look(site: Site) -> Iterator[Finding]:
    """The exports of a store, the current one first."""
    yield from _files(site)
    yield from _pointer(site)
    yield from _link(site)


def _pointer(site: Site) -> Iterator[Finding]:
    store, found = site.store, pointer_of(site.store)
    there = whole_exports(store)
    mend = partial(_mend_pointer, site)
    where = str(store.pointer)
    if found is None and there:
        yield Finding("it is lost or damaged, and readers find no export", where, "makes it again", mend)
    elif found is None and store.pointer.exists():
        yield Finding("it is damaged, and there is no export to point to", where, "run a night, which writes it anew")
    elif found is not None and not store.export(found["export_id"]).is_dir():
        others = [name for name in there if manifest_of(store, name)]
        todo = f"point readers to {others[-1]} with `nightrec rollback --to {others[-1]}`" if others else "run a night"
        yield Finding(f"it points to {found['export_id']}, which is not there", where, f"{todo}, or restore the folder")
    elif found is not None and _other_hash(site, found):
        yield Finding("it has another hash of the manifest than the manifest has", where, "corrects it", mend)


def _other_hash(site: Site, found: Pointer) -> bool:
    manifest = site.store.export_manifest(found["export_id"])
    return manifest_of(site.store, found["export_id"]) is not None and sha256(manifest) != found["manifest_sha256"]


def _mend_pointer(site: Site) -> str:
    return mend_pointer(site.store) or "is made again"  # whoever took the store has made it again


def _link(site: Site) -> Iterator[Finding]:
    store, found = site.store, pointer_of(site.store)
    if found is None or not store.export(found["export_id"]).is_dir():
        return
    link = store.link
    if link.exists() and not link.is_symlink():
        yield Finding(
            "something else stands where the link to the current export belongs",
            str(link),
            "move it away, if readers use the link",
            wrong=False,
        )
    elif link.is_symlink() and str(link.readlink()) != found["export_id"]:
        what = f"it leads to {str(link.readlink())[:40]}, and latest.json to {found['export_id']}"
        yield Finding(what, str(link), "sets it anew", partial(_relink, site))


def _relink(site: Site) -> str:
    found = pointer_of(site.store)
    if found is None:
        raise NightrecError(f"{site.store.pointer} is damaged itself.")
    relink(site.store, found["export_id"])
    return f"leads to {found['export_id']}"


def _files(site: Site) -> Iterator[Finding]:
    store, pointer = site.store, pointer_of(site.store)
    current = pointer["export_id"] if pointer else None
    there = {*store.export_ids(), *(folder.name for folder in without_manifest(store))}
    ids = sorted(there, key=lambda export_id: (export_id != current, age_order(export_id)))
    for export_id in ids:
        run_date = age_order(export_id)[0]
        again = f"run the night {run_date} again (`nightrec run --date {run_date}`), which publishes it anew"
        manifest = manifest_of(store, export_id)
        folder = store.export(export_id)
        if manifest is None:
            where = store.export_manifest(export_id)
            what = f"it is {'damaged' if where.exists() else 'lost'}, so nothing tells whether the export is whole"
        elif not folder.is_dir():
            what, where = "it is gone, though its manifest is there", folder
        elif wrong := (damage if site.deep else lacking)(folder, manifest["files"]):
            what, where = wrong.removeprefix(f"{folder}/"), folder
        else:
            continue
        mirror = site.copy_at
        seen = export_id == current
        told = manifest is not None or seen  # by which hash a copy is the same
        fix = partial(restore, store, export_id, mirror) if mirror and told else None
        todo = "restores it from the mirror" if fix else again
        by_hand = manifest is not None and not folder.is_dir()  # somebody may have removed it
        what += "; readers see this export" if seen else ""
        yield Finding(what, str(where), todo, fix, wrong=seen or not by_hand)
