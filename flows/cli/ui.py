"""`nightrec ui`: pages to look at a site's nights."""

from pathlib import Path

import click

from flows.cli.options import store_option
from flows.cli.place import the_store


@click.command()
@store_option
@click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml, if there is one].")
@click.option("--port", type=click.IntRange(1, 65535), default=4300, show_default=True, help="Of the pages.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens; 0.0.0.0 for other machines.")
@click.option("--url", help="How others reach it, https://NAME: by a proxy with TLS, or by --certificate.")
@click.option("--certificate", type=click.Path(path_type=Path), help="Of the server, as a PEM file.")
@click.option("--key", type=click.Path(path_type=Path), help="Of the certificate, as a PEM file.")
@click.option(
    "--auth-file",
    type=click.Path(path_type=Path),
    help="user:password of the pages, in a file [PREFECT_SERVER_API_AUTH_STRING, or a fresh one].",
)
def ui(
    store: Path | None,
    config: Path | None,
    port: int,
    host: str,
    url: str | None,
    certificate: Path | None,
    key: Path | None,
    auth_file: Path | None,
) -> None:
    """Show the site's nights, people and items as pages in your browser; Ctrl-C stops it.

    It prints a link that lets your browser in. The pages only read, beside nights too, and need no internet.
    `nightrec serve` has the same pages.
    """
    from flows.operate.access import Access
    from flows.operate.pages import site_of
    from flows.operate.pages_server import show
    from flows.settings.site import load

    access = Access.checked(host, port, url, auth_file, certificate, key)
    folder = load(config).store if store is None and config is not None else the_store(store)
    show(site_of(folder, config), access, click.echo)
