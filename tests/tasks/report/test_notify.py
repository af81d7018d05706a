"""Messages reach people by whatever channel there is, and a channel that is broken costs neither the others nor a
secret.
"""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flows.settings.site import NightConfig, checked, load
from recmodels.errors import ConfigError, NightrecError
from tasks.report import notify as channels
from tasks.report.notify import Message, notify
from tasks.report.settings import NotifySettings

FAILED = Message("failed", "shop", "night-2026-03-01 failed: there are no interactions.", "http://ui/runs/1")
TOKEN = "T0-p-s3cret"


@dataclass
class Webhook:
    """An HTTP server that keeps what it is told and answers with these statuses, the last one for ever."""

    statuses: list[int] = field(default_factory=lambda: [200])
    received: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(self) -> int:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.answer())
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        hook.url = f"http://127.0.0.1:{server.server_port}/hooks/{TOKEN}"
        yield hook
        server.shutdown()


@dataclass
class Mailbox:
    """An SMTP server that takes all mail, except to addresses that begin with `nobody`."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    connections: int = 0

    def talk(self, connection: socket.socket) -> None:
        lines = connection.makefile("r", newline="\r\n")

        def say(line: str) -> None:
            connection.sendall(line.encode() + b"\r\n")

        say("220 sink")
        for line in lines:
            if line.upper().startswith("DATA"):
                say("354 go on")
                text = "".join(iter(lambda: next(lines), ".\r\n"))
                mail = message_from_string(text, policy=default)
                assert isinstance(mail, EmailMessage)
                self.mails.append(mail)
                say("250 taken")
            elif line.upper().startswith("QUIT"):
                say("221 bye")
                break
            else:
                say("550 who?" if "<nobody" in line else "250 fine")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as server:
        box.port = server.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                box.connections += 1
                with connection:
                    box.talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield box
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "PAUSES", (0.0, 0.0))


def rules(**settings: Any) -> NotifySettings:
    return NotifySettings.model_validate(settings)


def mail_to(mailbox: Mailbox, *to: str, **settings: Any) -> dict[str, Any]:
    return {"to": list(to), "host": "127.0.0.1", "port": mailbox.port, **settings}


def test_nobody_is_told_where_nothing_is_configured() -> None:
    assert notify(NotifySettings(), FAILED) == []


def test_a_webhook_gets_json_with_a_text_that_chat_programs_show(webhook: Webhook) -> None:
    assert notify(rules(webhook=webhook.url), FAILED) == ["webhook"]
    assert webhook.received == [
        {
            "text": "nightrec shop: night-2026-03-01 failed: there are no interactions. http://ui/runs/1",
            "signal": "failed",
            "site": "shop",
            "url": "http://ui/runs/1",
        }
    ]


def test_the_address_may_come_from_the_environment(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_HOOK", webhook.url)
    notify(rules(webhook="env:SHOP_HOOK"), FAILED)
    assert len(webhook.received) == 1


@pytest.mark.parametrize("busy", [500, 503, 429])
def test_a_webhook_that_is_busy_is_asked_again(webhook: Webhook, busy: int) -> None:
    webhook.statuses = [busy, busy, 200]
    assert notify(rules(webhook=webhook.url), FAILED) == ["webhook"]
    assert len(webhook.received) == 3


def test_a_webhook_that_refuses_is_asked_once(webhook: Webhook) -> None:
    webhook.statuses = [403]
    with pytest.raises(NightrecError, match="the webhook failed: HTTP status 403"):
        notify(rules(webhook=webhook.url), FAILED)
    assert len(webhook.received) == 1


def test_a_mail_has_the_sentence_in_its_subject_and_the_link_below(mailbox: Mailbox) -> None:
    assert notify(rules(mail=mail_to(mailbox, "a@x.org", "b@x.org")), FAILED) == ["mail"]
    [mail] = mailbox.mails
    assert mail["Subject"] == "nightrec shop: night-2026-03-01 failed: there are no interactions."
    assert mail["To"] == "a@x.org, b@x.org"
    assert mail["Date"]
    assert mail.get_content().split() == [*FAILED.sentence.split(), FAILED.url]


def test_an_address_that_does_not_exist_is_reported_and_the_others_get_the_mail(mailbox: Mailbox) -> None:
    with pytest.raises(NightrecError, match="the mail failed: 1 of the addresses refused"):
        notify(rules(mail=mail_to(mailbox, "a@x.org", "nobody@x.org")), FAILED)
    assert len(mailbox.mails) == mailbox.connections == 1


def test_a_mail_server_that_cannot_encrypt_gets_neither_password_nor_mail(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", TOKEN)
    settings = mail_to(mailbox, "a@x.org", starttls=True, user="me", password="env:MAIL_PASSWORD")
    with pytest.raises(NightrecError, match="the mail failed: SMTPNotSupportedError"):
        notify(rules(mail=settings), FAILED)
    assert not mailbox.mails
    assert mailbox.connections == 1


def test_a_command_reads_the_message_and_finds_it_in_its_environment(tmp_path: Path) -> None:
    program = (
        "import json, os, sys; names = ['NIGHTREC_SIGNAL', 'NIGHTREC_SITE', 'NIGHTREC_MESSAGE'];"
        "json.dump([sys.stdin.read(), *map(os.environ.get, names)], open(sys.argv[1], 'w'))"
    )
    out = tmp_path / "$(told) && x"  # no shell looks at it
    assert notify(rules(command=[sys.executable, "-c", program, str(out)]), FAILED) == ["command"]
    assert json.loads(out.read_text()) == [f"{FAILED.text}\n", "failed", "shop", FAILED.text]


def test_a_command_is_run_once_and_may_leave_the_message_unread(tmp_path: Path) -> None:
    count = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(3)"
    with pytest.raises(NightrecError, match="the command failed: exit code 3"):
        notify(rules(command=[sys.executable, "-c", count, str(tmp_path / "runs")]), FAILED)
    assert (tmp_path / "runs").read_text() == "x"


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "TIMEOUT", 0.2)
    with pytest.raises(NightrecError, match="the command failed: no end within"):
        notify(rules(command=[sys.executable, "-c", "import time; time.sleep(60)"]), FAILED)


def test_channels_that_fail_are_named_and_do_not_stop_the_others(webhook: Webhook, mailbox: Mailbox) -> None:
    webhook.statuses = [500]
    with pytest.raises(NightrecError) as refused:
        notify(rules(webhook=webhook.url, mail=mail_to(mailbox, "a@x.org"), command=["/no/such/program"]), FAILED)
    assert str(refused.value) == (
        "Not everybody was notified: the webhook failed: HTTP status 500; the command failed: no such file or "
        "directory. Look at [notify] in the configuration."
    )
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    "address",
    [
        f"http://127.0.0.1:1/{TOKEN}",  # nobody listens
        f"http://no-such-host.invalid/{TOKEN}",
        f"http://127.0.0.1:{TOKEN}/",  # no port
        f"http://user:{TOKEN}@127.0.0.1:1/",
        f"http://127.0.0.1:1/{TOKEN} ä",
        f"ftp://127.0.0.1/{TOKEN}",
    ],
)
def test_no_address_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_HOOK", address)
    with pytest.raises(NightrecError, match="the webhook failed") as refused:
        notify(rules(webhook="env:SHOP_HOOK"), FAILED)
    assert TOKEN not in str(refused.value)
    assert refused.value.__context__ is None, "Prefect logs the whole chain"


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(NightrecError, match="the environment variable NO_SUCH_HOOK is not set"):
        notify(rules(webhook="env:NO_SUCH_HOOK"), FAILED)


@pytest.mark.parametrize(
    ("notify_section", "sentence"),
    [
        ({"webhook": TOKEN}, "write a URL that begins with http:// or https://"),
        ({"mail": {"to": ["a@x.org"], "password": TOKEN}}, "a password does not belong in a file"),
    ],
)
def test_a_mistake_in_a_secret_is_explained_without_it(notify_section: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked({"notify": notify_section}, "nightrec.toml")
    assert sentence in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_key_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError):
        rules(webhok="http://x")


def test_the_settings_come_from_nightrec_toml_and_hide_the_address_where_they_are_shown(tmp_path: Path) -> None:
    (tmp_path / "nightrec.toml").write_text(
        f'[notify]\nwebhook = "https://chat/{TOKEN}"\ncommand = ["wall"]\n'
        '[notify.mail]\nto = ["a@x.org"]\nhost = "mx"\nport = 587\nstarttls = true\n'
    )
    config = load(tmp_path / "nightrec.toml")
    assert config.notify.mail is not None and config.notify.mail.starttls
    assert TOKEN not in repr(config)
    assert TOKEN not in config.model_dump_json(), "the flow's parameters are shown in Prefect's UI"
    assert NightConfig().notify == NotifySettings()
