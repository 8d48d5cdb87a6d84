"""What an operator can set: read from the environment and from a file, checked as a whole at start."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

PREFIX = "GUERDON_"
CONFIG_VARIABLE = "GUERDON_CONFIG"
CONFIG_FILE = "guerdon.toml"
NOT_SETTINGS = ("GUERDON_CONFIG", "GUERDON_PROVE", "GUERDON_TEST_", "GUERDON_BENCH_")
FROM_KUBERNETES = ("GUERDON_SERVICE_", "GUERDON_PORT_")
"""Kubernetes puts such variables into every container when a Service is called guerdon."""

Seconds = Annotated[float, Meta(gt=0, le=3600)]


class SettingsError(ValueError):
    """All that is wrong with the settings, a line each."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each field is `GUERDON_<NAME>` in the environment and `name` in the file; the environment wins."""

    database_url: Annotated[
        str,
        Meta(
            pattern=r"^(postgres(ql)?://.*)?$",
            description="A PostgreSQL (15 or newer) of yours, `postgresql://…`; also read from `DATABASE_URL`. "
            "Empty: the embedded server is used.",
        ),
    ] = ""
    data_dir: Annotated[
        str,
        Meta(
            min_length=1, description="Where the embedded server keeps its data, relative to where you start."
        ),
    ] = ".guerdon"
    pg_bin: Annotated[
        str,
        Meta(
            description="Folder of the PostgreSQL programs for the embedded server; empty: found by itself."
        ),
    ] = ""
    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on.")] = 8770
    processes: Annotated[int, Meta(ge=1, le=64, description="Server processes of one `serve`.")] = 1
    worker_in_serve: Annotated[bool, Meta(description="Whether `serve` runs the worker too.")] = True
    log_format: Annotated[
        Literal["json", "text"], Meta(description="Log lines as JSON, or as text for reading.")
    ] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="What is logged at least.")
    ] = "info"
    access_log: Annotated[
        bool, Meta(description="Whether every request is logged, or only those that fail.")
    ] = False
    pool_size: Annotated[
        int, Meta(ge=2, le=200, description="Database connections of a server process, besides the writer's.")
    ] = 10
    worker_pool_size: Annotated[int, Meta(ge=2, le=200, description="Database connections of a worker.")] = 5
    worker_concurrency: Annotated[
        int, Meta(ge=1, le=64, description="Jobs that a worker runs at a time.")
    ] = 4
    writer_batch: Annotated[
        int,
        Meta(ge=1, le=256, description="Redemptions (and other writes) that share one transaction at most."),
    ] = 64
    writer_queue: Annotated[
        int,
        Meta(
            ge=1, le=65536, description="Writes that may wait; the next one is answered 503 with Retry-After."
        ),
    ] = 1024
    import_limit: Annotated[
        int, Meta(ge=1024, le=1 << 40, description="Largest body of a streamed import, in bytes.")
    ] = 1 << 32
    code_guesses_per_minute: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Unknown codes a key may ask for in a minute; then 429.")
    ] = 60
    idempotency_days: Annotated[
        int, Meta(ge=1, le=365, description="Days that Idempotency-Keys are kept.")
    ] = 7
    drain_seconds: Annotated[
        float,
        Meta(
            ge=0, le=60, description="Seconds between turning /ready to 503 and closing the port, at a stop."
        ),
    ] = 0.5
    shutdown_grace: Annotated[
        Seconds, Meta(description="Seconds that requests and jobs in flight get to finish, at a stop.")
    ] = 15.0
    require_durability: Annotated[
        bool, Meta(description="Whether /ready fails on a database with fsync or the like switched off.")
    ] = True
    demo: Annotated[
        bool,
        Meta(
            description="Whether /demo is open to everybody, with the demo project's key; set by `guerdon demo`."
        ),
    ] = False

    @property
    def embedded(self) -> bool:
        """Whether the embedded server is to be used."""
        return not self.database_url

    @property
    def data_path(self) -> Path:
        """`data_dir`, absolute."""
        return Path(self.data_dir).expanduser().absolute()


def load_settings(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """The settings of this process. Raises SettingsError that names every mistake at once.

    The file is the one `GUERDON_CONFIG` names, else `guerdon.toml` in `folder` (the working directory) if any.
    """
    environ = os.environ if environ is None else environ
    mistakes: list[str] = []
    given = _from_file(environ, folder or Path.cwd(), mistakes) | _from_environment(environ, mistakes)
    hints = get_type_hints(Settings, include_extras=True)
    values: dict[str, Any] = {}
    for name, (source, value) in given.items():
        try:
            values[name] = msgspec.convert(value, hints[name], strict=not isinstance(value, str))
        except msgspec.ValidationError as problem:
            shown = "***" if name == "database_url" else repr(value)
            mistakes.append(f"{source} is {shown}: {problem}. Allowed: {allowed(name)}.")
    if mistakes:
        raise SettingsError("The settings are not right:\n  " + "\n  ".join(mistakes))
    return Settings(**values)


def allowed(name: str) -> str:
    """The values a setting takes, in words."""
    meta, kind = _meta_of(get_type_hints(Settings, include_extras=True)[name])
    if name == "database_url":
        return "postgresql://user:password@host/database, or empty"
    if kind is bool:
        return "true or false"
    if getattr(kind, "__origin__", None) is Literal:
        return " or ".join(kind.__args__)
    if kind is str:
        return "text"
    low = f"more than {meta['gt']:g}" if "gt" in meta else f"{meta['ge']}"
    return f"a number from {low} to {meta['le']}" if "ge" in meta else f"a number {low}, up to {meta['le']}"


def describe() -> list[tuple[str, str, str, str]]:
    """For each setting its variable, default, allowed values and meaning, in the order of the struct."""
    hints = get_type_hints(Settings, include_extras=True)
    defaults = Settings()
    return [
        (
            PREFIX + name.upper(),
            msgspec.json.encode(getattr(defaults, name)).decode().strip('"'),
            allowed(name),
            _meta_of(hints[name])[0]["description"],
        )
        for name in Settings.__struct_fields__
    ]


def _meta_of(hint: Any) -> tuple[dict[str, Any], Any]:
    """What the annotations of a field say, put together, and its bare type."""
    merged: dict[str, Any] = {}
    while hasattr(hint, "__metadata__"):
        for meta in hint.__metadata__:
            merged |= {
                key: getattr(meta, key)
                for key in ("gt", "ge", "le", "description")
                if getattr(meta, key) is not None
            }
        hint = hint.__origin__
    return merged, hint


def _from_file(environ: Mapping[str, str], folder: Path, mistakes: list[str]) -> dict[str, tuple[str, Any]]:
    named = environ.get(CONFIG_VARIABLE)
    file = Path(named).expanduser() if named else folder / CONFIG_FILE
    if not named and not file.exists():
        return {}
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        mistakes.append(f"The file {file} cannot be read: {problem}.")
        return {}
    given: dict[str, tuple[str, Any]] = {}
    for name, value in content.items():
        if name in Settings.__struct_fields__:
            given[name] = (f"{name} in {file}", value)
        else:
            mistakes.append(f"{name} in {file} is no setting.{_meant(name, Settings.__struct_fields__)}")
    return given


def _from_environment(environ: Mapping[str, str], mistakes: list[str]) -> dict[str, tuple[str, Any]]:
    known = {PREFIX + name.upper(): name for name in Settings.__struct_fields__}
    given: dict[str, tuple[str, Any]] = {}
    if environ.get("DATABASE_URL"):
        given["database_url"] = ("DATABASE_URL", environ["DATABASE_URL"])
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable.startswith(NOT_SETTINGS):
            continue
        if variable == "GUERDON_PORT" and value.startswith("tcp://"):
            continue  # Kubernetes' too
        if variable in known:
            given[known[variable]] = (variable, value)
        elif not variable.startswith(FROM_KUBERNETES):
            mistakes.append(f"{variable} is no setting.{_meant(variable, list(known))}")
    return given


def _meant(name: str, known: tuple[str, ...] | list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f" Did you mean {close[0]}?" if close else ""
