"""A catalogue's connection to SQLite: one thread at a time, all or none, and what is read while a writer comes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from aiomar._database import transaction
from aiomar.transfer._catalogue_file import Stamp, connect_to_read, connect_to_write, gone, read_stamp, translated
from aiomar.transfer._catalogue_rows import Row, Statement


class CatalogueConnection:
    """Made by `to_write` or `to_read`; any thread may use it."""

    def __init__(self, directory: Path, connection: sqlite3.Connection, stamp: Stamp | None) -> None:
        self._directory = directory
        self._connection = connection
        self._stamp = stamp
        self._turn = threading.Lock()

    @classmethod
    def to_write(cls, directory: Path) -> Self:
        """Connect to the catalogue of a directory that this process holds, making it when missing.

        Raises:
            DestinationError: it cannot be used.
        """
        return cls(directory, connect_to_write(directory), None)

    @classmethod
    def to_read(cls, directory: Path) -> Self | None:
        """Connect for looking only, also while another process writes; `None` if there is no catalogue.

        Raises:
            DestinationError: it cannot be used.
        """
        found = connect_to_read(directory)
        return cls(directory, *found) if found else None

    def write(self, statements: Sequence[Statement]) -> None:
        """Execute statements, all or none.

        Raises:
            DiskError: what they say could not be written.
        """
        with self._turn, translated(self._directory):
            execute = self._connection.execute
            if len(statements) == 1:  # a transaction of its own
                execute(*statements[0])
                return
            with transaction(self._connection):
                for statement in statements:
                    execute(*statement)

    def rows(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        """Give what a statement finds.

        Raises:
            DestinationError: the catalogue is gone.
            DiskError: it cannot be read.
        """
        with self._turn, translated(self._directory):
            while True:
                try:
                    rows = self._connection.execute(statement, parameters).fetchall()
                except sqlite3.DatabaseError:
                    if self._still():
                        raise
                else:
                    if self._still():
                        return rows

    def _still(self) -> bool:
        """Whether what was just read holds; if a writer came in the meantime, look again beside it."""
        if self._stamp is None or self._stamp == read_stamp(self._directory):
            return True
        found = connect_to_read(self._directory)
        if found is None:
            raise gone(self._directory)
        self._connection.close()
        self._connection, self._stamp = found
        return False

    def close(self) -> None:
        """End it; SQLite brings its log home."""
        with self._turn:
            self._connection.close()
