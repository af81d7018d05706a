"""Messages to people: a webhook, a mail, a command, whichever the site has; none of them needs the internet."""

import json
import os
import smtplib
import ssl
import subprocess
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import localtime

from pydantic import SecretStr

from recmodels.errors import ConfigError, NightrecError
from tasks.report.settings import FROM_ENVIRONMENT, MailSettings, NotifySettings

TIMEOUT = 20.0  # seconds for one try of one channel
PAUSES = (2.0, 10.0)  # seconds before the second and the third try
TOO_MANY, BROKEN = 429, 500  # of HTTP: come back later
SMTPS = 465  # the port on which a mail server speaks TLS from the first byte


@dataclass(frozen=True)
class Message:
    """One sentence about a site, and where to look."""

    signal: str
    site: str
    sentence: str
    url: str = ""

    @property
    def headline(self) -> str:
        return f"nightrec {self.site}: {self.sentence}"

    @property
    def text(self) -> str:
        return f"{self.headline} {self.url}".rstrip()


def notify(settings: NotifySettings, message: Message) -> list[str]:
    """Send a message through every channel that is configured, and return their names.

    Raises:
        NightrecError: a channel failed; the others were tried all the same.
    """
    channels: dict[str, Callable[[], None]] = {}
    if webhook := settings.webhook:
        channels["webhook"] = lambda: _patiently(lambda: _post(_value_of(webhook), message))
    if mail := settings.mail:
        channels["mail"] = lambda: _patiently(lambda: _send_mail(mail, message))
    if settings.command:
        channels["command"] = lambda: _run_command(settings.command, message)
    failed = {}
    for name, send in channels.items():
        try:
            send()
        except Exception as error:  # whatever it is, it must not keep the other channels from being tried
            failed[name] = _reason(error)
    if failed:
        reasons = "; ".join(f"the {name} failed: {why}" for name, why in failed.items())
        raise NightrecError(f"Not everybody was notified: {reasons}. Look at [notify] in the configuration.")
    return list(channels)


def _patiently(send: Callable[[], None]) -> None:
    """Try again where that may help: after a lost connection or an answer that says later, not after a refusal."""
    for pause in PAUSES:
        try:
            return send()
        except (OSError, smtplib.SMTPException) as error:
            if not _passing(error):
                raise
        time.sleep(pause)
    return send()


def _passing(error: Exception) -> bool:
    """Whether what went wrong may be over in a moment."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= BROKEN or error.code == TOO_MANY
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return not isinstance(cause, smtplib.SMTPRecipientsRefused | smtplib.SMTPNotSupportedError | ssl.SSLError)


def _reason(error: Exception) -> str:
    """What happened, without an address or anything else that may hold a secret."""
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    if isinstance(error, urllib.error.URLError):
        return _reason(error.reason) if isinstance(error.reason, Exception) else "no connection"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = {code for code, _ in error.recipients.values()}
        return f"{len(error.recipients)} of the addresses refused (SMTP status {', '.join(map(str, sorted(codes)))})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"SMTP status {error.smtp_code}"
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit code {error.returncode}"
    if isinstance(error, TimeoutError | subprocess.TimeoutExpired):
        return f"no end within {TIMEOUT:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__


def _value_of(secret: SecretStr) -> str:
    """A value, or what the environment holds for `env:NAME`."""
    value = secret.get_secret_value()
    if not value.startswith(FROM_ENVIRONMENT):
        return value
    name = value.removeprefix(FROM_ENVIRONMENT)
    if not os.environ.get(name):
        raise ConfigError(f"the environment variable {name} is not set where the worker runs")
    return os.environ[name]


def _post(url: str, message: Message) -> None:
    """POST the message as JSON, with the `text` that chat programs show."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError("its address does not begin with http:// or https://")
    content = {"text": message.text, "signal": message.signal, "site": message.site, "url": message.url}
    request = urllib.request.Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT):
        pass


def _send_mail(settings: MailSettings, message: Message) -> None:
    """Send the message to all addresses; one that the server refuses is an error, and the others have it."""
    mail = EmailMessage()
    mail["Subject"] = textwrap.shorten(message.headline, 150, placeholder=" …")
    mail["From"], mail["To"], mail["Date"] = settings.sender, ", ".join(settings.to), localtime()
    mail.set_content(f"{message.sentence}\n\n{message.url}\n")
    with _connected(settings) as server:
        if settings.starttls:
            server.starttls(context=ssl.create_default_context())
        if settings.user:
            server.login(settings.user, _value_of(settings.password) if settings.password else "")
        if refused := server.send_message(mail):
            raise smtplib.SMTPRecipientsRefused(refused)


def _connected(settings: MailSettings) -> smtplib.SMTP:
    if settings.port == SMTPS:
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=ssl.create_default_context())
    return smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)


def _run_command(command: list[str], message: Message) -> None:
    """Run a program, without a shell and only once; its output is not kept."""
    environment = {
        "NIGHTREC_SIGNAL": message.signal,
        "NIGHTREC_SITE": message.site,
        "NIGHTREC_MESSAGE": message.text,
    }
    subprocess.run(
        command,
        input=message.text + "\n",
        text=True,
        env=os.environ | environment,
        timeout=TIMEOUT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
