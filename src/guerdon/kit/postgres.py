"""The embedded PostgreSQL: made on first use, shared by all processes of a data directory, stopped by the last.

Two files are locked with flock, which the kernel releases however a process ends:
`users.lock` is held shared by everyone who uses the server, `change.lock` exclusively by whoever starts or
stops it. Whoever lets go last stops the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import locale
import logging
import os
import pwd
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from guerdon.kit.postgres_binaries import Account, Binaries, PostgresError, find_binaries, reachable

if sys.platform == "win32":
    raise ImportError("The embedded PostgreSQL needs Linux or macOS; set DATABASE_URL instead.")
import fcntl

__all__ = ["EmbeddedPostgres", "PostgresError"]

log = logging.getLogger(__name__)

OWNER = "guerdon"
"""Name of the superuser and of the database."""
PORT = 5432
"""Part of the socket's file name only: the server does not listen on TCP."""
LONGEST_SOCKET_PATH = 90
START_SECONDS = 60
CHECK_SECONDS = 0.25

OPTIONS: Mapping[str, str] = {
    "listen_addresses": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_compression": "off",
    "shared_buffers": "256MB",
    "wal_buffers": "16MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "max_connections": "200",
    "jit": "off",
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
}
"""Durable, and tuned for two cores that the application shares. A refused statement is the caller's to log."""


class EmbeddedPostgres:
    """A server in `data_dir`/postgres. `acquire()` returns a DSN, `release()` gives it back; also a context.

    `options` override the settings above (tests switch durability off). While acquired, a thread watches the
    server and starts it again when it has died.
    """

    def __init__(self, data_dir: Path, *, pg_bin: str = "", options: Mapping[str, str] | None = None) -> None:
        self.options = {**OPTIONS, **(options or {})}
        self.pg_bin = pg_bin
        self.account = _account()
        self.home = _home(data_dir.expanduser().absolute(), self.account)
        self.data = self.home / "data"
        self.socket_dir = _socket_dir(self.home, self.account)
        self._binaries: Binaries | None = None
        self._users_lock: int | None = None
        self._finished = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> str:
        return self.acquire()

    def __exit__(self, *_exc: object) -> None:
        self.release()

    @property
    def dsn(self) -> str:
        """`postgresql://…` of the database; the password is part of it."""
        password = quote((self.home / "password").read_text().strip(), safe="")
        return f"postgresql://{OWNER}:{password}@/{OWNER}?host={quote(str(self.socket_dir), safe='/')}&port={PORT}"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None when it does not run."""
        pid = _read_pid(self.data / "postmaster.pid")
        return pid if pid is not None and _serves(pid, self.data) else None

    def acquire(self) -> str:
        """Start the server or join the running one. Raises PostgresError with what to do about it."""
        if self._users_lock is not None:
            return self.dsn
        with self._changing():
            descriptor = os.open(self.home / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                self._make()
                self._start()
            except BaseException:
                os.close(descriptor)
                raise
            self._users_lock = descriptor
        self._finished.clear()
        self._watcher = threading.Thread(target=self._watch, name="postgres-watch", daemon=True)
        self._watcher.start()
        return self.dsn

    def release(self) -> None:
        """Let go; stops the server when nobody else uses it."""
        if self._users_lock is None:
            return
        self._finished.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._changing():
            descriptor, self._users_lock = self._users_lock, None
            # LOCK_UN rather than close alone: a forked child may still hold a copy of the descriptor.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            finally:
                os.close(descriptor)
            self._stop()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        descriptor = os.open(self.home / "change.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _programs(self) -> Binaries:
        if self._binaries is None:
            version = self.data / "PG_VERSION"
            wanted = int(version.read_text()) if version.exists() else None
            self._binaries = reachable(find_binaries(self.pg_bin, wanted), self.account, self.home)
        return self._binaries

    def _run(self, *command: str, text: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Run a PostgreSQL program as the server's account, in a session of its own (Ctrl-C is not for it)."""
        as_other = {}
        if os.geteuid() != self.account.uid:
            as_other = {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        kept = {
            name: os.environ[name] for name in ("PATH", "TZDIR", "LD_PRELOAD", "TMPDIR") if name in os.environ
        }
        return subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            start_new_session=True,
            env={**kept, "LC_ALL": "C", "TZ": "UTC", **more},
            **as_other,
        )

    def _make(self) -> None:
        """Create the cluster beside its place and move it there when whole, so that a kill leaves no half."""
        if (self.data / "PG_VERSION").exists():
            return
        password = secrets.token_urlsafe(24)
        partial = self.home / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        _own_folder(partial, self.account)
        pwfile = partial.with_name("password.partial")
        pwfile.unlink(missing_ok=True)
        descriptor = os.open(pwfile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password + "\n")
        os.chown(pwfile, self.account.uid, self.account.gid)
        programs = self._programs()
        answer = self._run(
            *(programs.program("initdb"), "-D", str(partial), "-U", OWNER, f"--pwfile={pwfile}"),
            *(
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--data-checksums",
                *_locale_options(programs.major),
            ),
        )
        _succeeded(answer, f"initdb ({programs.source}) failed")
        single = (programs.program("postgres"), "--single", "-D", str(partial), "postgres")
        _succeeded(self._run(*single, text=f"create database {OWNER};\n"), "Creating the database failed")
        os.chown(pwfile, os.geteuid(), os.getegid())
        pwfile.rename(self.home / "password")
        partial.rename(self.data)

    def _start(self) -> None:
        if self.pid is not None and self._answers():
            return
        self._clear_stale()
        _own_folder(self.socket_dir, self.account)
        log_file = self.home / "server.log"
        if log_file.exists() and log_file.stat().st_size > 10_000_000:
            log_file.replace(self.home / "server.log.1")
        log_file.touch(mode=0o600)
        os.chown(log_file, self.account.uid, self.account.gid)
        settings = {**self.options, "unix_socket_directories": str(self.socket_dir), "port": str(PORT)}
        flags = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())
        command = (self._programs().program("pg_ctl"), "start", "-w", "-s", "-t", str(START_SECONDS))
        answer = self._run(*command, "-D", str(self.data), "-l", str(log_file), "-o", flags)
        if answer.returncode != 0:
            tail = "\n".join(log_file.read_text(errors="replace").splitlines()[-15:])
            raise PostgresError(f"The embedded PostgreSQL does not start: {answer.stderr.strip()}\n{tail}")

    def _answers(self) -> bool:
        """Whether the server takes connections: `pg_ctl status` looks at the process only, the file says ready."""
        deadline = time.monotonic() + START_SECONDS
        while self.pid is not None and time.monotonic() < deadline:
            if _read_state(self.data / "postmaster.pid") == "ready":
                return True
            time.sleep(0.05)
        return False

    def _clear_stale(self) -> None:
        """Remove what a killed server left behind, once none of its children is alive.

        PostgreSQL itself takes a zombie (a container without an init keeps them) or a stranger that got the
        same process id for a running server, and refuses to start.
        """
        children = _wait_for_orphans(self.data)
        if children:
            raise PostgresError(f"Processes of a killed server are still alive in {self.data}: {children}")
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (self.socket_dir / name).unlink(missing_ok=True)

    def _stop(self) -> None:
        if self.pid is None:
            return
        stop = (self._programs().program("pg_ctl"), "stop", "-s", "-w", "-t", "30", "-D", str(self.data))
        if self._run(*stop, "-m", "fast").returncode != 0:
            _succeeded(self._run(*stop, "-m", "immediate"), "The embedded PostgreSQL does not stop")

    def _watch(self) -> None:
        while not self._finished.wait(CHECK_SECONDS):
            if self.pid is not None:
                continue
            try:
                with self._changing():
                    if self.pid is None and not self._finished.is_set():
                        log.warning("embedded postgres has died, starting it again")
                        self._start()
            except (PostgresError, OSError) as problem:
                log.error("embedded postgres: %s", problem)


def _account() -> Account:
    """Ourselves, or for root the account `postgres`, else `nobody`: no account is ever made."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    return Account(65534, 65534)


def _home(data_dir: Path, account: Account) -> Path:
    """The folder of the server. Where its account cannot enter `data_dir`, a link there leads below /var/lib."""
    home = data_dir / "postgres"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _make_home(home, account)
    except OSError as problem:
        raise PostgresError(
            f"{data_dir} cannot hold the data ({problem.strerror}); set GUERDON_DATA_DIR."
        ) from problem
    if not home.exists():
        raise PostgresError(
            f"{home} leads to {home.readlink()}, which is gone. Remove the link to start anew."
        )
    if not account.can_enter(home):
        raise PostgresError(f"The server's account (uid {account.uid}) cannot enter {home}; mend its modes.")
    if not os.access(home, os.W_OK):
        raise PostgresError(f"{home} belongs to another user; run as that one, or set GUERDON_DATA_DIR.")
    return home.resolve()


def _make_home(home: Path, account: Account) -> None:
    if home.exists() or home.is_symlink():
        return
    if account.can_enter(home.parent):
        home.mkdir(mode=0o711, exist_ok=True)
        return
    shelf = Path("/var/lib/guerdon")
    shelf.mkdir(mode=0o711, exist_ok=True)
    real = Path(tempfile.mkdtemp(prefix="postgres-", dir=shelf))
    real.chmod(0o711)
    try:
        home.symlink_to(real)
    except FileExistsError:  # another process was faster
        real.rmdir()


def _socket_dir(home: Path, account: Account) -> Path:
    """Inside `home`; in the temporary directory when that is too long for a socket or has odd characters."""
    folder = home / "socket"
    plain = re.fullmatch(r"[A-Za-z0-9_./-]+", str(folder)) is not None
    if plain and len(f"{folder}/.s.PGSQL.{PORT}.lock") <= LONGEST_SOCKET_PATH:
        return folder
    digest = hashlib.sha256(f"{home}\n{account.uid}".encode()).hexdigest()[:16]
    return Path("/tmp") / f"guerdon-{digest}"


def _own_folder(folder: Path, account: Account) -> None:
    """Make `folder` for the account alone; refuses one that somebody else has put there."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        os.chown(folder, account.uid, account.gid)
    info = folder.lstat()
    if info.st_uid != account.uid or folder.is_symlink():
        raise PostgresError(f"{folder} belongs to uid {info.st_uid} and not to uid {account.uid}; remove it.")
    folder.chmod(0o700)


def _locale_options(major: int) -> list[str]:
    """Bytewise sorting and Unicode upper and lower case, the same on every machine."""
    if major >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return ["--locale=C"]
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return ["--locale=C", "--lc-ctype=C.UTF-8"]


def _succeeded(answer: subprocess.CompletedProcess[str], what: str) -> None:
    if answer.returncode != 0:
        raise PostgresError(f"{what}: {answer.stderr.strip() or answer.stdout.strip()}")


def _read_pid(file: Path) -> int | None:
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _read_state(file: Path) -> str:
    """The eighth line of postmaster.pid: starting, ready, standby or stopping; empty when not written yet."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return ""
    return lines[7].strip() if len(lines) > 7 else ""


def _serves(pid: int, data: Path) -> bool:
    """Whether `pid` is alive, no zombie, and works in `data`, as every PostgreSQL process does."""
    process = Path("/proc") / str(pid)
    if not Path("/proc/self").exists():
        answer = subprocess.run(
            ["ps", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True
        )
        state, _, command = answer.stdout.strip().partition(" ")
        return answer.returncode == 0 and not state.startswith("Z") and str(data) in command
    try:
        if process.joinpath("stat").read_text().rpartition(")")[2].split()[0] in "ZX":
            return False
        return process.joinpath("cwd").readlink() == data
    except OSError:
        return False


def _orphans(data: Path) -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _serves(int(entry), data)]


def _wait_for_orphans(data: Path) -> list[int]:
    """Wait for children of a killed server to notice, then end them. Returns those that would not go."""
    if not Path("/proc/self").exists():
        return []  # PostgreSQL's own shared-memory check stands in
    left = _orphans(data)
    for attempt in range(100):
        if not left:
            break
        if attempt in (40, 70):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGQUIT if attempt == 40 else signal.SIGKILL)
        time.sleep(0.05)
        left = _orphans(data)
    return left
