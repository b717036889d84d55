"""A PostgreSQL server of the test run's own: in a temporary folder, on a socket in it, ended with the run."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_START_SECONDS = 30
_USER = "milan"


def programs() -> Path | None:
    """The folder of the newest PostgreSQL that is installed as Debian does it, or on the path."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    return max(
        found, key=lambda path: int(path.parent.name), default=Path(on_path).parent if on_path else None
    )


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is up."""

    folder: Path

    def new_database(self) -> str:
        """An empty database; its name."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self._info("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database and whoever is still connected to it."""
        with psycopg.connect(self._info("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def address(self, name: str) -> str:
        """The address of a database as SQLAlchemy writes it."""
        return f"postgresql+psycopg://{_USER}@/{name}?host={self.folder}"

    def _info(self, name: str) -> str:
        return f"host={self.folder} user={_USER} dbname={name}"


@contextmanager
def serving(bin_folder: Path) -> Iterator[Server]:
    """A server in a folder of its own, for as long as the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="milan-pg-"))  # not pytest's: PostgreSQL's user has to get there
    owner = _other_user(folder)
    process = None
    try:
        _make_cluster(bin_folder, folder, owner)
        process = _start(bin_folder, folder, owner)
        _wait(folder, process)
        yield Server(folder)
    finally:
        if process is not None:
            _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _other_user(folder: Path) -> dict[str, Any]:
    """Whom to run it as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _make_cluster(bin_folder: Path, folder: Path, owner: dict[str, Any]) -> None:
    command = [bin_folder / "initdb", "-D", folder / "data", "-U", _USER, "-A", "trust", "-E", "UTF8"]
    done = subprocess.run(  # noqa: S603  the program is PostgreSQL's own
        [*map(str, command), "--no-locale", "--no-sync"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **owner,
    )
    assert done.returncode == 0, done.stderr


def _start(bin_folder: Path, folder: Path, owner: dict[str, Any]) -> "subprocess.Popen[bytes]":
    settings = {
        "listen_addresses": "",  # a socket in the folder is all there is
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": "100",
        "shared_buffers": "16MB",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603  the program is PostgreSQL's own
            [str(bin_folder / "postgres"), "-D", str(folder / "data"), *options],
            cwd=folder,
            stdout=log,
            stderr=log,
            **owner,
        )


def _wait(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(f"host={folder} user={_USER} dbname=postgres").close()
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, "PostgreSQL did not start in time"
            time.sleep(0.05)
        else:
            return


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)  # "fast": whoever is connected is let go
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
