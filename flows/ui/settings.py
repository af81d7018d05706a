"""The page of the settings that are in force, each with where it comes from."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from starlette.requests import Request
from starlette.responses import Response

from flows.settings import CONFIG_VARIABLE, STORE_VARIABLE
from flows.settings.renamed import with_new_names
from flows.settings.site import NightConfig
from flows.settings.template import toml
from flows.ui.pages import Page, rendered
from flows.ui.site import Site
from recmodels.errors import NightrecError
from recmodels.published.addresses import SECRET_KEY, shown
from tasks.report import UI_VARIABLE

DEFAULT = "default"
HIDDEN = "set, and not shown"
FROM_ENVIRONMENT = "env:"
VARIABLES = {
    CONFIG_VARIABLE: "the settings of deployed nights",
    STORE_VARIABLE: "the store, instead of the one in the settings",
    "PREFECT_API_URL": "Prefect's server",
    UI_VARIABLE: "these pages, for links to them",
}


@dataclass(frozen=True)
class Setting:
    """A setting in force: its dotted name, its value as TOML has it, where that is from, and what it is."""

    name: str
    value: str
    source: str
    about: str

    @property
    def given(self) -> bool:
        """Whether somebody has set it."""
        return self.source != DEFAULT


@dataclass(frozen=True)
class Section:
    """Settings that belong together."""

    name: str
    about: str
    settings: list[Setting]


def settings(request: Request, site: Site) -> Response:
    """All settings."""
    given = content_of(site.file)
    chosen = request.query_params.get("show") == "changed"
    sections = sections_of(site, given)
    if chosen:
        sections = [
            Section(one.name, one.about, [setting for setting in one.settings if setting.given]) for one in sections
        ]
    environment = [
        (name, shown(os.environ[name]) if name in os.environ else None, about) for name, about in VARIABLES.items()
    ]
    return rendered(
        "settings.html.j2",
        request,
        site,
        title="Settings",
        sections=[one for one in sections if one.settings],
        chosen=chosen,
        changed=sum(setting.given for one in sections for setting in one.settings),
        environment=environment,
    )


def content_of(file: Path | None) -> Mapping[str, Any]:
    """What the file says, under the names of today; nothing where it cannot be read."""
    if file is None:
        return {}
    try:
        return with_new_names(tomllib.loads(file.read_text(encoding="utf-8")), str(file))
    except (OSError, ValueError, NightrecError):
        return {}


def sections_of(site: Site, given: Mapping[str, Any]) -> list[Section]:
    """The settings in force, by section; those without a section come first."""
    config = in_force(site)
    source = site.file.name if site.file else ""
    plain, sections = Section("", "", []), []
    for name, field in NightConfig.model_fields.items():
        value = getattr(config, name)
        there = given.get(name)
        if isinstance(value, BaseModel):
            about = (type(value).__doc__ or "").strip().splitlines()[0]
            sections.append(Section(name, about, list(_within(name, value, there, source))))
        elif name == "models":
            found = [
                one for model, each in value.items() for one in _model(f"models.{model}", each, there, source, model)
            ]
            sections.append(Section(name, field.description or "", found))
        elif name == "store":
            plain.settings.append(_store(site, config, there, source, field.description or ""))
        else:
            where = source if name in given else DEFAULT
            plain.settings.append(Setting(name, said(name, value), where, field.description or ""))
    return [plain, *sections]


def in_force(site: Site) -> NightConfig:
    """The settings, with what a preset adds to them."""
    config = site.settings
    try:
        return config.model_copy(update={"inputs": config.tables(), "prepare": config.preparation()})
    except NightrecError:
        return config


def _store(site: Site, config: NightConfig, there: object, source: str, about: str) -> Setting:
    if site.store.root != config.store.absolute():
        where = STORE_VARIABLE if STORE_VARIABLE in os.environ else "--store"
    else:
        where = DEFAULT if there is None else source
    return Setting("store", said("store", site.store.root), where, about)


def _within(place: str, value: BaseModel, given: object, source: str) -> Iterator[Setting]:
    """The settings of a section, and of the tables within it."""
    table = given if isinstance(given, Mapping) else {}
    extra = value.__pydantic_extra__ or {}
    for name in (*type(value).model_fields, *extra):
        inner, field = getattr(value, name), type(value).model_fields.get(name)
        dotted = f"{place}.{name}"
        if isinstance(inner, BaseModel):
            yield from _within(dotted, inner, table.get(name), source)
            continue
        is_default = field is not None and inner == field.get_default(call_default_factory=True)
        where = source if name in table else DEFAULT if is_default or not source else "the preset"
        yield Setting(dotted, said(name, inner), where, (field.description or "") if field else "")


def _model(place: str, candidate: BaseModel, given: object, source: str, name: str) -> Iterator[Setting]:
    """A candidate: that it is one, and what is not as by default."""
    there = given if isinstance(given, Mapping) else None
    where = DEFAULT if there is None else source
    changed = candidate.model_dump(exclude_defaults=True)
    enabled = changed.pop("enabled", True)
    recommender = changed.pop("recommender", None) or name
    text = recommender if enabled else f"{recommender}, not enabled"
    yield Setting(place, text, where, "")
    for key, value in changed.items():
        yield Setting(f"{place}.{key}", said(key, value), where, "")


def said(name: str, value: object) -> str:
    """A value as TOML has it, without what is or may be a secret."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return text if text.startswith(FROM_ENVIRONMENT) else HIDDEN
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{key} = {said(str(key), one)}" for key, one in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, str) and not value.startswith(FROM_ENVIRONMENT):
        if SECRET_KEY.search(re.sub(r"[^a-z]+", "_", name.lower())) and not name.endswith("_env"):
            return HIDDEN
        return toml(shown(value))
    if name == "command" and isinstance(value, list) and len(value) > 1:
        return f"{toml(value[:1])}, and {len(value) - 1} more"
    if isinstance(value, list):
        return "[" + ", ".join(said(name, one) for one in value) + "]"
    return toml(value)


PAGES = (Page("/settings", settings, "Settings"),)
