"""A deployment: one YAML file that names the lake, the engine, the connectors, the feeds and who is notified."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from zoneinfo import available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from governance import actions, contracts, own_contracts, playbook, policy, recommendations, segments
from governance.actions import Actions
from governance.contract import Contract
from governance.errors import C360Error
from governance.keys import SHORTEST
from governance.playbook import Playbook
from governance.policy import Policy
from governance.recommendations import Exclusions
from governance.segments import Rules
from governance.yaml_loader import SafeLoader
from resources.access import AccessSettings
from resources.databases import Postgres, Redshift
from resources.engine import Engine, quoted
from resources.files import Files, Sample
from resources.google_analytics import GoogleAnalytics
from resources.lake import Lake
from resources.notifications import AnySink, LogSink
from resources.replacing import replacing
from resources.values import Identity

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from resources.operations import Operations

CONFIG_VARIABLE = "C360_CONFIG"
CONFIG_NAME = "c360.yaml"
DEFAULT_CONFIG = Path(__file__).parent.parent / CONFIG_NAME
# The file of a home that says whose it is.
OWNER = "owner.json"
# The file of a home of which keys are made, where c360.yaml names no secret.
SECRET = "secret"
UTC = "UTC"
# The mapping of a feed whose source has the contract's columns.
EVERYTHING = "select * from raw"
VARIABLE = re.compile(r"\$\{(\w+)\}")

AnyConnector = Annotated[Files | GoogleAnalytics | Postgres | Redshift | Sample, Field(discriminator="type")]


class DeploymentError(C360Error):
    """A c360.yaml that cannot be used."""


class _Section(BaseModel):
    # Errors quote what was written unless told not to, and a variable may have brought a secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


Section = TypeVar("Section", bound=_Section)


class EngineSettings(_Section):
    """How much of the machine the engine may use; `threads` left out means every core."""

    memory_limit: str = "4GB"
    threads: int | None = None


def _check_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be a time zone such as UTC or Europe/Berlin")
    return name


Timezone = Annotated[str, AfterValidator(_check_timezone)]


class ScheduleSettings(_Section):
    """When tables are loaded: by the clock of `timezone`, left out that of the shop; hours of events from `hours_from`
    on (UTC).

    Each hourly load looks back `lateness_hours`, for events that arrive late. New orders are looked for every
    `real_time_seconds`.
    """

    timezone: Timezone | None = None
    real_time_seconds: int = Field(default=5, ge=5)
    hours_from: datetime = datetime(2024, 1, 1)
    lateness_hours: int = Field(default=24, ge=0)

    @field_validator("hours_from")
    @classmethod
    def _check_hours_from(cls, moment: datetime) -> datetime:
        if moment.tzinfo is not None or moment != moment.replace(minute=0, second=0, microsecond=0):
            raise ValueError("must be a full hour in UTC, without offset")
        return moment


class LakeSettings(_Section):
    """Where tables are kept. Left out, both lie in the deployment's `home`."""

    catalog: str | None = None
    warehouse: str | None = None


class Feed(_Section):
    """How one dataset is filled: a connector, and the SQL from its rows (`raw`) to the contract's columns.

    Of several connectors each is a view by its name, and all are read as a whole. Of a database: the `table` (of
    several: by the name of the connector), and the column by which it is read in part, the `watermark`. That is a time
    or a number that grows with every change of a row, read from `overlap` (seconds, or units of the number) before
    where the last read came to; for a dataset that is loaded by the hour it is the time of the event. `identifiers`
    says what tells no two of them apart, which has to be the same wherever they are referred to. `status` gives, for
    words that the source has for the status of an order, those of the contract. `timezone` is the clock of moments
    without offset; left out, that of the shop for files, and UTC for databases and exports that keep UTC.
    """

    connectors: tuple[str, ...] = Field(alias="from")
    select: str = EVERYTHING
    table: str | dict[str, str] | None = None
    watermark: str | None = None
    overlap: int = Field(default=600, ge=0)
    may_be_empty: bool = False
    identifiers: Identity = Identity()
    status: dict[str, str] = {}
    timezone: Timezone | None = None

    @field_validator("connectors", mode="before")
    @classmethod
    def _check_connectors(cls, named: Any) -> Any:
        return (named,) if isinstance(named, str) else named

    @property
    def views(self) -> tuple[str, ...]:
        """The tables that the select may read: each connector by its name; of one, `raw` is another name."""
        return self.connectors if len(self.connectors) > 1 else ("raw", *self.connectors)

    def table_of(self, connector: str) -> str | None:
        """The table read of a connector that is a database; None where it is called like the dataset."""
        return self.table.get(connector) if isinstance(self.table, dict) else self.table


class Settings(_Section):
    """The whole of c360.yaml. With `shares_home` the `home` may be that of another deployment.

    `segments`, `playbook`, `recommendations`, `actions` and `policy` name files of its own in place of ours,
    `contracts` a folder of what it adds to ours. `access` says who is in which role, and of `secret` are made the keys
    of hashes, tokens and the like; left out, it is a file in the home.
    """

    name: str
    currency: str
    timezone: Timezone | None = None
    home: str = ".c360"
    shares_home: bool = False
    engine: EngineSettings = EngineSettings()
    lake: LakeSettings = LakeSettings()
    connectors: dict[str, AnyConnector] = {}
    feeds: dict[str, Any] = {}
    contracts: str | None = None
    segments: str | None = None
    playbook: str | None = None
    recommendations: str | None = None
    actions: str | None = None
    policy: str | None = None
    access: AccessSettings = AccessSettings()
    secret: str | None = Field(default=None, min_length=SHORTEST, repr=False)
    schedules: ScheduleSettings = ScheduleSettings()
    operations: str | None = Field(default=None, repr=False)
    notifications: tuple[AnySink, ...] = (LogSink(),)

    @property
    def clock(self) -> str:
        """The time zone of the shop, in which its days, hours and months are counted."""
        return self.timezone or self.schedules.timezone or UTC

    @property
    def schedule_clock(self) -> str:
        """The time zone of the schedules."""
        return self.schedules.timezone or self.clock


@dataclass(frozen=True)
class Deployment:
    """A c360.yaml read and checked, with the contracts it fills. Relative paths start at the file's folder."""

    file: Path
    settings: Settings
    feeds: Mapping[str, Feed]
    contracts: Mapping[str, Contract]

    @property
    def folder(self) -> Path:
        """Where relative paths start."""
        return self.file.parent

    @property
    def home(self) -> Path:
        """Folder of everything the deployment keeps: lake, catalog, Dagster's history."""
        return self.folder / self.settings.home

    def opened_home(self) -> Path:
        """The home, made where it is not there yet. DeploymentError where it is another deployment's."""
        if not self.home.exists():
            self.claim_home()
        elif not self.settings.shares_home:
            self._check_owner()
        return self.home

    def claim_home(self) -> None:
        """Note in the home whose it is, unless it is shared. DeploymentError where it is another deployment's.

        The file is noted as seen from the home, so that both can be moved together.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        if self.settings.shares_home:
            return
        self._check_owner()
        file = os.path.relpath(self.file, self.home.resolve())
        content = json.dumps({"file": file, "name": self.settings.name})
        mark = self.home / OWNER
        if not mark.exists() or mark.read_text(encoding="utf-8") != content:
            with replacing(mark) as fresh:
                fresh.write_text(content, encoding="utf-8")

    def _check_owner(self) -> None:
        mark = self.home / OWNER
        try:
            owner = json.loads(mark.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except ValueError:
            raise DeploymentError(f"{mark}, which tells whose folder it is, cannot be read. Remove it.") from None
        file = (self.home.resolve() / owner["file"]).resolve()
        # A file that is gone while we bear its name was moved or renamed, and is ours.
        if file == self.file or (not file.exists() and owner["name"] == self.settings.name):
            return
        raise DeploymentError(
            f"{self.file}, key home: {self.home} belongs to '{owner['name']}' ({file}), whose tables"
            f" '{self.settings.name}' would overwrite. Give {self.file.name} a `home:` of its own, or, if both are to"
            f" use the same tables, say `shares_home: true` in it. If '{owner['name']}' is no more, remove {mark}."
        )

    @cached_property
    def engine(self) -> Engine:
        """The deployment's engine; opens at first use. It reaches the lake and the files of the connectors alone."""
        files = [path for connector in self.settings.connectors.values() for path in connector.reach(self.folder)]
        return Engine(self.settings.engine.memory_limit, self.settings.engine.threads, [self.warehouse, *files])

    @property
    def warehouse(self) -> Path:
        """The folder of the lake's files."""
        return (self.folder / (self.settings.lake.warehouse or self.home / "lake")).resolve()

    @cached_property
    def lake(self) -> Lake:
        """The deployment's tables; opens at first use. DeploymentError where the home is another deployment's."""
        home = self.opened_home()
        catalog = self.settings.lake.catalog or f"sqlite:///{home / 'catalog.db'}"
        return Lake(catalog, self.warehouse, self.engine)

    @property
    def operations_uri(self) -> str:
        """The address of the operational store."""
        return self.settings.operations or f"sqlite:///{self.home / 'operations.db'}"

    @cached_property
    def operations(self) -> "Operations":
        """What the deployment remembers about its own running; opens at first use."""
        from resources.operations import Operations

        if not self.settings.operations:
            self.opened_home()
        return Operations(self.operations_uri, self.contracts, [sink.name for sink in self.settings.notifications])

    @property
    def rule_files(self) -> dict[str, Path]:
        """The files of business rules by the resource that reads them."""
        return {
            "rules": self._own(self.settings.segments) or segments.FILE,
            "playbook": self._own(self.settings.playbook) or playbook.FILE,
            "exclusions": self._own(self.settings.recommendations) or recommendations.FILE,
            "actions": self._own(self.settings.actions) or actions.FILE,
        }

    def rules(self) -> Rules:
        """The segment rules as they are now. RulesError where they cannot be used."""
        return segments.load(self.rule_files["rules"])

    def playbook(self) -> Playbook:
        """What to do with which segment, as written now. PlaybookError where it cannot be used."""
        return playbook.load(self.rule_files["playbook"])

    def exclusions(self) -> Exclusions:
        """What is not to be recommended, as written now. ExclusionsError where it cannot be used."""
        return recommendations.load(self.rule_files["exclusions"])

    def actions(self) -> Actions:
        """What to do with customers next, as written now. ActionsError where it cannot be used."""
        return actions.load(self.rule_files["actions"])

    def policy(self) -> Policy:
        """Who sees what, as written now. PolicyError where it cannot be used."""
        return policy.load(self.policy_file)

    @property
    def policy_file(self) -> Path:
        """The file of the policy."""
        return self._own(self.settings.policy) or policy.FILE

    @cached_property
    def secret(self) -> bytes:
        """That of which every key is made: as c360.yaml says, else a file of the home, made at first need.

        DeploymentError where that file cannot be used.
        """
        if self.settings.secret:
            return self.settings.secret.encode()
        file = self.opened_home() / SECRET
        if not file.exists():
            _make_secret(file)
        secret = file.read_bytes()
        if len(secret) < SHORTEST:
            raise DeploymentError(
                f"{file} holds no secret of {SHORTEST} or more characters. Bring back what was there, or remove it:"
                " then hashes change, and tokens given out are no longer valid."
            )
        return secret

    def _own(self, path: str | None) -> Path | None:
        return self.folder / path if path else None

    def read(self, key: str) -> "ir.Table":
        """The rows of a table that readers see, wherever it is kept. KeyError where there is no such table."""
        import ibis

        from resources.operations import TABLES

        if key in TABLES:
            return ibis.memtable(self.operations.rows(key))
        return self.lake.read(self.contracts[key])

    def select(self, key: str) -> str:
        """The SELECT of what `read` gives, by which a table is shown sooner than Ibis is imported."""
        from resources.operations import TABLES

        if key not in TABLES:
            return self.lake.select(self.contracts[key])
        name = f"rows of {key}"
        self.engine.connection.register(name, self.operations.rows(key))
        return f"SELECT * FROM {quoted(name)}"

    def close(self) -> None:
        """Release the engine, the catalog and the operational store, as far as they were opened."""
        for opened in ("operations", "lake", "engine"):
            if opened in self.__dict__:
                getattr(self, opened).close()


def load(file: Path | None = None) -> Deployment:
    """The deployment in `file`, else in $C360_CONFIG, else in c360.yaml of this folder, else in that of the packages.

    DeploymentError names the file and every key that is wrong; secrets are read from the environment as `${NAME}`.
    """
    here = Path(CONFIG_NAME)
    path = Path(file or os.environ.get(CONFIG_VARIABLE) or (here if here.exists() else DEFAULT_CONFIG)).resolve()
    if not path.is_file():
        raise DeploymentError(f"There is no deployment file {path}. Name one with --config, or set {CONFIG_VARIABLE}.")
    raw = _expanded(path, _parsed(path))
    settings, faults = _validated(Settings, raw, "")
    own = raw.get("contracts")
    known = own_contracts.load(path.parent / own) if isinstance(own, str) else contracts.ours()
    feeds: dict[str, Feed] = {}
    for dataset, entry in _mapping(raw.get("feeds")).items():
        feed, wrong = _feed(dataset, entry, known, _mapping(raw.get("connectors")))
        faults += wrong
        if feed:
            feeds[dataset] = feed
    if settings:
        faults += _sinks_named_alike([sink.name for sink in settings.notifications])
    if faults or settings is None:
        raise DeploymentError("\n".join(f"{path.name}, key {fault}" for fault in faults))
    return Deployment(
        path, settings, feeds, {key: contract.in_currency(settings.currency) for key, contract in known.items()}
    )


def _make_secret(file: Path) -> None:
    """Of several processes that do so at once, the first one's holds."""
    fresh = file.with_name(f".{file.name}.{token_hex(8)}")
    try:
        fresh.touch(mode=0o600)
        fresh.write_text(token_hex(32), encoding="ascii")
        with suppress(FileExistsError):
            file.hardlink_to(fresh)
    finally:
        fresh.unlink(missing_ok=True)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=SafeLoader)
    except OSError as fault:
        raise DeploymentError(f"{path} cannot be read: {fault.strerror}.") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise DeploymentError(f"{path.name} is not readable YAML: {' '.join(str(fault).split())}") from fault
    if not isinstance(raw, dict):
        raise DeploymentError(
            f"{path.name} is empty or not a mapping. Start from one in examples/, or remove it and let"
            f" `c360 init FILE... --output {path.name}` propose one for your files."
        )
    return raw


def _expanded(path: Path, value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _expanded(path, entry, f"{key}.{name}".lstrip(".")) for name, entry in value.items()}
    if isinstance(value, list):
        return [_expanded(path, entry, f"{key}[{position}]") for position, entry in enumerate(value)]
    if isinstance(value, str):
        for name in VARIABLE.findall(value):
            if name not in os.environ:
                raise DeploymentError(
                    f"{path.name}, key {key}: the environment variable {name} is not set. Set it, for example"
                    f" {name}=... c360 run --config {path}"
                )
        return VARIABLE.sub(lambda match: os.environ[match.group(1)], value)
    return value


def _validated(model: type[Section], entry: Any, prefix: str) -> tuple[Section | None, list[str]]:
    """The section as written, or None and all that is wrong with it: keys below `prefix`, each with its fault."""
    try:
        return model.model_validate(entry), []
    except ValidationError as fault:
        return None, [_message(error, prefix) for error in fault.errors()]


def _message(error: Any, prefix: str) -> str:
    # Pydantic puts the type of a connector or sink into its path, where the file has none.
    is_typed = error["loc"][0] in ("connectors", "notifications")
    parts = [str(part) for place, part in enumerate(error["loc"]) if not (is_typed and place == 2)]
    reason = {"extra_forbidden": "is no key we know", "missing": "is missing"}.get(error["type"], error["msg"])
    if error["type"] == "union_tag_invalid":
        parts.append("type")
        reason = f"'{error['ctx']['tag']}' is none of {error['ctx']['expected_tags']}"
    return f"{prefix}{'.'.join(parts)}: {reason}."


def _faults(feed: Feed, contract: Contract, connectors: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of a feed does not go together, each with its key."""
    statuses = {value for column in contract.columns if column.name == "order_status" for value in column.values}
    for word, value in feed.status.items():
        if value not in statuses:
            known = f"must be one of {', '.join(sorted(statuses))}" if statuses else "is for the dataset orders alone"
            yield "status", f"'{word}: {value}' {known}"
    names = feed.connectors
    if not names:
        yield "from", "names no connector"
    for name in names:
        if name not in connectors:
            yield "from", f"there is no connector '{name}' (declared: {', '.join(connectors) or 'none'})"
        # Views are known by their names whatever the case.
        if [other.lower() for other in names].count(name.lower()) > 1:
            yield "from", f"'{name}' is there twice"
    if isinstance(feed.table, dict):
        for name in feed.table:
            if name not in names:
                yield "table", f"'{name}' is not among the connectors of `from`"
    if len(names) == 1:
        return
    if isinstance(feed.table, str):
        yield "table", f"say of which connector, as in `table: {{{names[0]}: {feed.table}}}`"
    if feed.watermark is not None:
        yield (
            "watermark",
            (
                "a feed of several connectors is read as a whole, because a row that changed in one may go with rows of"
                " another that did not. Take it out, or read from one connector"
            ),
        )
    if "select" not in feed.model_fields_set:
        yield "select", f"of several connectors it must say how they go together; each is a view: {', '.join(names)}"


def _mapping(written: Any) -> dict[str, Any]:
    return written if isinstance(written, dict) else {}


def _sinks_named_alike(names: Sequence[str]) -> list[str]:
    alike = sorted({name for name in names if names.count(name) > 1})
    return [f"notifications: two sinks are named '{name}'. Give each a `name` of its own." for name in alike]


def _feed(
    dataset: str, entry: Any, known: Mapping[str, Contract], connectors: Mapping[str, Any]
) -> tuple[Feed | None, list[str]]:
    """The feed as written, and all that is wrong with it."""
    datasets = {contract.name: contract for contract in known.values() if contract.layer == "sources"}
    if dataset not in datasets:
        return None, [f"feeds.{dataset}: there is no dataset of that name; known are {', '.join(datasets)}."]
    if not isinstance(entry, dict):
        return None, [f"feeds.{dataset}: must say `from` and, if need be, `select`."]
    feed, faults = _validated(Feed, entry, f"feeds.{dataset}.")
    if feed:
        found = dict.fromkeys(_faults(feed, datasets[dataset], connectors))
        faults = [f"feeds.{dataset}.{key}: {fault}." for key, fault in found]
    return feed, faults
