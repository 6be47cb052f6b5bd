"""Open the folder of a local store: by several processes at once, after a move, after an upgrade, and when it is damaged."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from textcls.errors import TrackingError
from textcls.files import new_file
from textcls.tracking.remote import reason

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

logger = logging.getLogger(__name__)

_ABSOLUTE_PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
"""Where MLflow stores absolute paths, which a moved folder makes wrong."""

_SCRATCH = ".migrating"
"""Folder below a store's in which tables are made."""
_MOST_SECONDS = 120.0
"""How long another process may take to open the folder."""
_DATABASE_SECONDS = 30.0
"""How long another process may keep the database to itself."""


@contextmanager
def opened_folder(folder: Path, *, connect: Callable[[], object]) -> Iterator[None]:
    """Make or mend the folder of a store, for a block that no other process enters at the same time.

    Args:
        folder: the folder, which is made if it is missing.
        connect: what makes MLflow open the database, and make or migrate it.

    Raises:
        TrackingError: another process keeps the folder or the database to itself, or the database is damaged or newer.
        OSError, sqlite3.Error: the folder cannot be made or written to.
    """
    database = folder / "mlflow.db"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Processes that open a new database at once break it for good, so the first opening is one's alone.
        with FileLock(folder / ".lock", timeout=_MOST_SECONDS):
            shutil.rmtree(folder / _SCRATCH, ignore_errors=True)  # of a process that was killed
            revisions = _probe(folder, database) if database.is_file() else set()
            if revisions:
                _back_up_before_upgrade(folder, database)
            if revisions != _newest_revisions():
                _migrate(database)
            connect()
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA journal_mode=wal")
            _relocate(folder, database)
            _note(folder)
            yield
    except Timeout as error:
        raise TrackingError(
            f"{folder}: another process has been opening the store for {_MOST_SECONDS:g} seconds; wait for it, or end it"
        ) from error


def is_read_only(folder: Path) -> bool:
    """Whether a folder holds a store that this user, or nobody here, can write to: a colleague's, or an archive."""
    places = [folder, folder / "mlflow.db", folder / ".lock"]
    return places[1].is_file() and not all(os.access(place, os.W_OK) for place in places if place.exists())


def copy_to_read(folder: Path, copy: Path) -> None:
    """Copy the database of a store that cannot be written to, as it would be after opening: of this MLflow, with the paths of here.

    SQLite cannot even read a database in WAL mode where it can make no journal; and MLflow reads none of an older version.

    Raises:
        TrackingError: the database is damaged or newer.
        OSError, sqlite3.Error: it cannot be read.
    """
    database, journal = folder / "mlflow.db", folder / "mlflow.db-wal"
    # While somebody else has it open there is a journal to be read with it.
    how = "mode=ro" if journal.is_file() and journal.stat().st_size else "immutable=1"
    with closing(sqlite3.connect(f"{database.as_uri()}?{how}", uri=True)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=delete")
    if _probe(folder, copy) != _newest_revisions():
        _migrate(copy)
    _relocate(folder, copy)
    copy.chmod(0o444)


def close_database(uri: str) -> None:
    """Have MLflow close a database, which it else keeps open for good: a file that is removed would still take up its space."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Models
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Runs

    for store in (Runs, Models):
        if (engine := store._engine_map.pop(uri, None)) is not None:
            engine.dispose()


def _probe(folder: Path, database: Path) -> set[str]:
    """Look at a database before MLflow does, which tries one that it cannot open for most of an hour; give the version of its tables."""
    try:
        with closing(sqlite3.connect(database, timeout=_DATABASE_SECONDS)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            found = connection.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else []
            revisions = {revision for (revision,) in found}
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        raise _kept(folder) from error
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"{folder}: the store cannot be opened: mlflow.db is damaged ({error}); put a copy of it in its place, or move the "
            "folder away to begin a new one"
        ) from error
    if revisions - _known_revisions():
        by = _state(folder).get("mlflow", "a newer version")
        raise TrackingError(
            f"{folder}: the store was made by a newer MLflow ({by}; here is {version('mlflow')}); "
            "upgrade textcls to a version that takes it"
        )
    return revisions


def _kept(folder: Path) -> TrackingError:
    return TrackingError(
        f"{folder}: another process keeps mlflow.db to itself; waited {_DATABASE_SECONDS:g} seconds; end it and try again"
    )


@cache
def _revisions() -> ScriptDirectory:
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    return ScriptDirectory.from_config(_get_alembic_config(""))


@cache
def _known_revisions() -> frozenset[str]:
    """The versions of its tables that this MLflow knows."""
    return frozenset(script.revision for script in _revisions().walk_revisions())


def _newest_revisions() -> set[str]:
    return set(_revisions().get_heads())


def _migrate(database: Path) -> None:
    """Make the tables of a new database, or bring those of an old one up to date, in a scratch file that is renamed when it is whole.

    A migration that is cut off leaves tables that MLflow can neither use nor go on with.
    """
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine
    from sqlalchemy.exc import SQLAlchemyError

    scratch = database.with_name(_SCRATCH)
    scratch.mkdir()
    try:
        whole = scratch / database.name
        if database.is_file():
            _copy_alone(database, whole)
        engine = create_sqlalchemy_engine(f"sqlite:///{whole}")
        try:
            with _quiet_migrations():
                _initialize_tables(engine)
        finally:
            engine.dispose()
        whole.replace(database)
    except SQLAlchemyError as error:  # such as of tables that MLflow was cut off in making
        raise TrackingError(
            f"{database.parent}: MLflow cannot bring mlflow.db up to date: {reason(error)}; if no run was ever tracked in it, remove it; "
            "else put a copy in its place"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _copy_alone(database: Path, copy: Path) -> None:
    """Copy a database that nobody else has open, and leave no journal, which would be taken for that of the file in its place."""
    with closing(sqlite3.connect(database, timeout=_DATABASE_SECONDS)) as source, closing(sqlite3.connect(copy)) as target:
        try:
            source.execute("PRAGMA journal_mode=delete")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise _kept(database.parent) from error
        source.backup(target)
    shutil.copymode(database, copy)


def _state(folder: Path) -> dict[str, str]:
    file = folder / "store.json"
    if not file.is_file():
        return {}
    damaged = TrackingError(f"{file}: damaged; remove it, and move the folder back if it was moved")
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged from error
    if not isinstance(state, dict) or not all(isinstance(value, str) for value in state.values()):
        raise damaged
    return state


def _back_up_before_upgrade(folder: Path, database: Path) -> None:
    """A newer MLflow migrates an old database for good, so a copy is kept first."""
    before, now = _state(folder).get("mlflow"), version("mlflow")
    copy = database.with_suffix(f".db.mlflow-{before}")
    if before and before != now and not copy.exists():
        # By the database itself: what was last written may still lie in the journal beside the file.
        with new_file(copy) as scratch:
            with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(scratch)) as target:
                source.backup(target)
            shutil.copymode(database, scratch)
        logger.warning("MLflow is now %s, the store was made by %s; a copy is kept as %s", now, before, copy.name)


def _relocate(folder: Path, database: Path) -> None:
    before, now = _state(folder).get("root"), str(folder)
    if before and before != now:
        with closing(sqlite3.connect(database)) as connection, connection:
            for table, column in _ABSOLUTE_PATHS:
                for old, new in ((Path(before).as_uri(), Path(now).as_uri()), (before, now)):
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608
                        (f"{new}/", len(old) + 2, len(old) + 1, f"{old}/"),
                    )


def _note(folder: Path) -> None:
    """Note where the store lies and which MLflow it is of, by which a move and an upgrade are known."""
    before, state = _state(folder), {"root": str(folder), "mlflow": version("mlflow")}
    if before.get("root", state["root"]) != state["root"]:
        logger.warning("the store was moved here from %s; its paths were adjusted", before["root"])
    if before != state:
        scratch = folder / ".store.json"  # renamed when it is whole: half a file would lock the store
        scratch.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
        scratch.replace(folder / "store.json")


@contextmanager
def _quiet_migrations() -> Iterator[None]:
    """MLflow reports every step of making a database."""
    loggers = [logging.getLogger(name) for name in ("alembic", "mlflow.store.db.utils")]
    levels = [log.level for log in loggers]
    for log in loggers:
        log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for log, level in zip(loggers, levels, strict=True):
            log.setLevel(level)
