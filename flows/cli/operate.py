"""The commands of nights that run by themselves: `serve`, `server`, `deploy` and `worker`."""

import os
from pathlib import Path
from typing import Any

import click

from recmodels.errors import ConfigError

DEFAULT = Path("nightrec.toml")


def config_option(command: Any) -> Any:
    return click.option("--config", type=click.Path(path_type=Path), help="Settings [nightrec.toml].")(command)


def access_options(command: Any) -> Any:
    """How a server is reached, and who knows its password."""
    for option in (
        click.option(
            "--auth-file",
            type=click.Path(path_type=Path),
            help="A file with user:password of the server [PREFECT_SERVER_API_AUTH_STRING].",
        ),
        click.option("--key", type=click.Path(path_type=Path), help="Of the certificate, as a PEM file."),
        click.option("--certificate", type=click.Path(path_type=Path), help="Of the server, as a PEM file."),
        click.option(
            "--name",
            "names",
            multiple=True,
            envvar="NIGHTREC_SERVER_NAMES",
            help="A further address, by which a private network names it: http://server:4200 [NIGHTREC_SERVER_NAMES].",
        ),
        click.option(
            "--url",
            envvar="NIGHTREC_SERVER_URL",
            help="How others reach it, https://NAME: by a proxy with TLS, or by --certificate [NIGHTREC_SERVER_URL].",
        ),
        click.option(
            "--host", default="127.0.0.1", show_default=True, help="Where it listens; 0.0.0.0 for other machines."
        ),
        click.option("--port", type=click.IntRange(1, 65535), default=4200, show_default=True, help="Of the server."),
    ):
        command = option(command)
    return command


@click.command()
@config_option
@access_options
@click.option(
    "--gpu",
    type=click.Choice(["auto", "trial", "none"]),
    default="auto",
    show_default=True,
    help="A worker for each GPU; one in the gpu pool that computes on the CPU, for a trial; or none.",
)
def serve(config: Path | None, gpu: Any, **reached: Any) -> None:
    """Start Prefect's server, its workers and the nightly schedule on this machine; Ctrl-C stops them all.

    It prints a link that lets your browser in, and makes a password of its own unless you choose one. Without
    nightrec.toml it serves a built-in demo site, whose store is ./store.
    """
    from flows.operate.access import Access
    from flows.operate.local_stack import serve as run
    from flows.operate.local_stack import tell_clients
    from flows.settings.site import load

    access = Access.checked(**reached)
    tell_clients(access)
    file = config or (DEFAULT if DEFAULT.exists() else None)
    run(load(file), file, access, gpu, click.echo)


@click.command()
@access_options
def server(**reached: Any) -> None:
    """Run Prefect's server alone, for workers that are started elsewhere, until it is stopped.

    It needs a password, answers only by the addresses that it is told, and turns away the pages of other sites.
    """
    from flows.operate.access import Access
    from flows.operate.lasting_server import serve as run

    run(Access.checked(**reached))


@click.command()
@config_option
@click.option(
    "--type",
    "kind",
    type=click.Choice(["process", "docker", "kubernetes"]),
    default="process",
    show_default=True,
    help="How the workers of the pools run flows.",
)
@click.option("--image", help="Of the containers [as in deployments/pools.yaml].")
@click.option("--gpu-image", help="Of those of the pool gpu [as in deployments/pools.yaml].")
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="For a server that is starting.",
)
def deploy(config: Path | None, kind: Any, image: str | None, gpu_image: str | None, wait: float) -> None:
    """Create the site's work pools, deployments and automations on the server at PREFECT_API_URL, or update them."""
    from flows.settings.site import load

    if not (api := os.environ.get("PREFECT_API_URL")):
        raise ConfigError("PREFECT_API_URL is not set: it is the address of Prefect's server, ending in /api.")
    file = config or DEFAULT
    if not file.exists():
        raise ConfigError(f"There is no configuration file {file}: write one with `nightrec init`.")
    settings = load(file)
    from flows.operate.server_ready import wait_for_server

    wait_for_server(api, wait, lambda text: click.echo(text, err=True))
    from flows.operate.deploy import deploy as run

    for name in run(settings, file, kind, image, gpu_image):
        click.echo(name)


@click.command()
@click.argument("pool")
@click.option("--name", help="Of the worker [chosen by Prefect].")
@click.option("--limit", type=click.IntRange(1), help="Most runs at a time [no limit: they share the cores].")
@click.option("--gpu", metavar="N", help="The GPU it is pinned to, as CUDA numbers them; or several: 0,1.")
@click.option(
    "--health-port",
    type=click.IntRange(1, 65535),
    envvar="NIGHTREC_HEALTH_PORT",
    help="Where http://127.0.0.1:PORT/health tells whether it still asks for runs [NIGHTREC_HEALTH_PORT, or nowhere].",
)
@click.option("--with-parent", is_flag=True, hidden=True)
def worker(
    pool: str, name: str | None, limit: int | None, gpu: str | None, with_parent: bool, health_port: int | None
) -> None:
    """Run the flows of the work pool POOL on this machine, until it is stopped.

    Start one for each GPU: nightrec worker gpu --gpu 0. A worker with a limit must leave room for the night itself,
    which runs in the pool cpu together with its models.
    """
    from flows.operate.worker import work
    from flows.settings.extras import check_extras, check_variables
    from flows.settings.site import deployed

    if os.environ.get("NIGHTREC_CONFIG"):
        config = deployed()
        check_extras(config, pool)
        check_variables(config, pool)
    work(pool, name, limit, gpu, with_parent, health_port)
