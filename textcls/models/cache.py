"""A cache of embeddings on disk, known by content, so that folds, runs and sweeps embed a text once.

One SQLite file an encoder, named by the SHA-256 of its weights and settings, with a row a text, known by the text's SHA-256. It
lies in `TEXTCLS_CACHE`, by default in the user's cache folder, may be read and written by several processes at once, and may
be deleted at any time. Past 2 GB a file's oldest embeddings make room.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

logger = logging.getLogger(__name__)

MOST_BYTES = 2 * 10**9
_SECONDS_TO_WAIT = 60.0
_KEYS_A_QUERY = 500


def cache_folder() -> Path:
    """Where textcls caches what it can compute again: the environment's `TEXTCLS_CACHE`, else the user's cache folder."""
    given = os.environ.get("TEXTCLS_CACHE")
    return Path(given) if given else user_cache_path("textcls", appauthor=False)


class EmbeddingCache:
    """The embeddings of one encoder. A cache that cannot be read or written is told in the log and done without.

    Args:
        fingerprint: known by this are the encoder's weights and all settings that an embedding depends on.
        width: the length of an embedding.
    """

    def __init__(self, fingerprint: str, width: int) -> None:
        self.file = cache_folder() / "embeddings" / f"{fingerprint}.sqlite"
        self.width = width

    def get(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Look texts up: those that are known, with their embeddings."""
        found: dict[str, np.ndarray] = {}
        if not self.file.exists():
            return found
        by_key = {_key(text): text for text in texts}
        keys = list(by_key)
        with self._told(), self._opened() as connection:
            for start in range(0, len(keys), _KEYS_A_QUERY):
                part = keys[start : start + _KEYS_A_QUERY]
                query = f"SELECT key, vector FROM embeddings WHERE key IN ({','.join('?' * len(part))})"  # noqa: S608
                for key, vector in connection.execute(query, part):
                    if len(vector) == 4 * self.width:
                        found[by_key[key]] = np.frombuffer(vector, dtype="<f4")
        return found

    def put(self, texts: Iterable[str], embeddings: np.ndarray) -> None:
        """Keep embeddings: shape (n_texts, width), float32."""
        rows = [(_key(text), row.astype("<f4").tobytes()) for text, row in zip(texts, embeddings, strict=True)]
        most = MOST_BYTES // (4 * self.width)
        with self._told():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self._opened() as connection, connection:
                connection.executemany("INSERT OR IGNORE INTO embeddings (key, vector) VALUES (?, ?)", rows)
                connection.execute("DELETE FROM embeddings WHERE number <= (SELECT max(number) FROM embeddings) - ?", (most,))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.file, timeout=_SECONDS_TO_WAIT)) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS embeddings (number INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, vector BLOB NOT NULL)"
            )
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            logger.warning("%s: the cache of embeddings cannot be used, so they are computed anew: %s", self.file, error)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
