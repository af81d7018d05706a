"""`nightrec server`: Prefect's server behind the guard, in the foreground, as services and containers run it."""

import os
import signal
import sys

from flows.operate import guarded_app
from flows.operate.access import AUTH, Access
from flows.operate.server import FOR_PEOPLE, listen, told
from recmodels.errors import ConfigError


def serve(access: Access) -> None:
    """Answer until SIGTERM or SIGINT.

    Raises:
        ConfigError: no password was chosen, or the port is taken.
    """
    if access.auth is None:
        raise ConfigError(
            f"`nightrec server` needs a password that its workers know, too: user:password in {AUTH}, or in a file "
            "with --auth-file."
        )
    listener = listen(access.host, access.port)
    os.environ |= {**FOR_PEOPLE, "PREFECT_UI_URL": access.url, **told(listener, access.addresses, access.auth)}
    if access.certificate is not None:
        os.environ |= {guarded_app.CERTIFICATE: str(access.certificate), guarded_app.KEY: str(access.key)}
    os.environ[guarded_app.KNOWN] = "1"
    os.environ.pop("PREFECT_API_URL", None)  # of its clients: its own services would ask it by the network
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as soon as the server has shut down
    listener.detach()  # the server takes it by its number
    guarded_app.serve()
