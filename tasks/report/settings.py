"""Where messages go when a night needs somebody, and where its figures are logged."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from recmodels.published.addresses import checked

FROM_ENVIRONMENT = "env:"


def _masked(value: object) -> object:
    """A text as a secret, before it is validated: the message about a mistake does not show it."""
    return SecretStr(value) if isinstance(value, str) else value


def _address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("http://", "https://", FROM_ENVIRONMENT)):
        raise ValueError("write a URL that begins with http:// or https://, or env:NAME")
    if value.get_secret_value().startswith("http"):
        checked(value.get_secret_value(), 'an environment variable to all of it, with webhook = "env:NAME"')
    return value


def _server(value: str) -> str:
    return checked(value, "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN")


def _named_only(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(FROM_ENVIRONMENT):
        raise ValueError("a password does not belong in a file: write env:NAME and set that environment variable")
    return value


class MailSettings(BaseModel):
    """A mail server and whom to write."""

    model_config = ConfigDict(extra="forbid")

    to: list[str] = Field(min_length=1, description="The recipients.")
    sender: str = Field(default="nightrec@localhost", description="The From address.")
    host: str = Field(default="localhost", description="The SMTP server.")
    port: int = Field(default=25, ge=1, le=65535, description="Its port; 465 is encrypted from the first byte.")
    starttls: bool = Field(default=False, description="Whether to encrypt the connection once it is open.")
    user: str | None = Field(default=None, description="The account, if the server wants one.")
    password: Annotated[SecretStr, AfterValidator(_named_only), BeforeValidator(_masked)] | None = Field(
        default=None, description="Its password, as env:NAME."
    )


class NotifySettings(BaseModel):
    """Where messages go when a night needs somebody; nowhere by default."""

    model_config = ConfigDict(extra="forbid")

    webhook: Annotated[SecretStr, AfterValidator(_address), BeforeValidator(_masked)] | None = Field(
        default=None, description="A URL that takes JSON with a text, or env:NAME to keep it out of this file."
    )
    mail: MailSettings | None = Field(default=None, description="A table with to, sender, host, port and so on.")
    command: list[str] = Field(
        default=[], description="A program and its arguments; it reads the message from its standard input."
    )


class MlflowSettings(BaseModel):
    """Logging of each night to MLflow (needs `pip install 'nightrec[mlflow]'`)."""

    model_config = ConfigDict(extra="forbid")

    uri: Annotated[str, AfterValidator(_server)] | None = Field(
        default=None, description="Tracking server, e.g. http://host:5000; credentials come from the environment."
    )
    experiment: str = Field(default="nightrec", min_length=1, description="The experiment that nights are runs of.")


class MetricsSettings(BaseModel):
    """Metrics of the nights for Prometheus; `nightrec metrics` prints them, and a server has them at `/metrics`."""

    model_config = ConfigDict(extra="forbid")

    file: Path | None = Field(
        default=None,
        description="Written when a night ends, for the textfile collector of node_exporter: a path in .prom.",
    )
