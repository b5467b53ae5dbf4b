"""The columns of intervals: their schema, and the dictionaries that a reader's batches share."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from collections.abc import Iterable, Mapping
from typing import TypeVar

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aiomar._version import __version__
from aiomar.protocol import TimeType

_Number = TypeVar("_Number", bound=np.generic)

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
_WORDS = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("us", tz="UTC")
_FIELDS = (
    ("recorder_id", _WORDS),
    ("channel", pa.int32()),
    ("unit_code", _WORDS),
    ("start", _TIME),
    ("end", _TIME),
    ("value", pa.float64()),
    ("channel_status", pa.uint16()),
    ("interval_status", pa.uint16()),
    ("file", _WORDS),
)


def schema(clock: TimeType) -> pa.Schema:
    """Give the schema of intervals that were read by a clock."""
    return pa.schema(_FIELDS, metadata={"aiomar.clock": clock.name, "aiomar.version": __version__})


class Words:
    """A dictionary that grows; the code of a word stays what it is.

    Args:
        words: those that are known beforehand.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._codes = {word: code for code, word in enumerate(dict.fromkeys(words))}
        self._array = pa.array([], pa.string())

    def code(self, word: str) -> int:
        """Give the code of a word, a new one if need be."""
        return self._codes.setdefault(word, len(self._codes))

    def column(self, codes: pa.Array) -> pa.DictionaryArray:
        """Make a column of codes, with all words that are known so far."""
        if new := list(itertools.islice(self._codes, len(self._array), None)):
            self._array = pa.concat_arrays([self._array, pa.array(new, pa.string())])
        return pa.DictionaryArray.from_arrays(codes, self._array, safe=False)


@attrs.frozen
class Dictionaries:
    """The words of one reader."""

    recorder_id: Words
    unit_code: Words
    file: Words

    def renewed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Give an earlier batch of the same reader the words that are known by now, without touching its rows."""
        columns = {
            field.name: getattr(self, field.name).column(column.indices) if field.type == _WORDS else column
            for field, column in zip(batch.schema, batch.columns, strict=True)
        }
        return record_batch(batch.schema, columns)


@functools.lru_cache(maxsize=1_024)
def microseconds(instant: dt.datetime) -> int:
    """Count from 1970, as Arrow does; most channels begin at the same few instants.

    Args:
        instant: in UTC: elsewhere two instants may be equal as keys, those of an hour that the clock shows twice.
    """
    return (instant - EPOCH) // MICROSECOND


def record_batch(of: pa.Schema, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """Put columns in the order of a schema."""
    return pa.RecordBatch.from_arrays([columns[name] for name in of.names], schema=of)


def empty(kind: np.dtype[_Number], rows: int) -> tuple[npt.NDArray[_Number], pa.Buffer]:
    """Make room for numbers.

    Returns:
        The room, to be filled, and the same memory as a buffer.  It comes from Arrow's pool, which hands out again what
        a batch before has given back; asking the system for fresh pages would take longer than decoding.
    """
    buffer = pa.allocate_buffer(rows * kind.itemsize)
    return np.frombuffer(buffer, kind), buffer


def numbers(kind: pa.DataType, values: npt.NDArray[np.generic]) -> pa.Array:
    """Hand numbers on as a column, without a copy."""
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def compacted(table: pa.Table) -> pa.Table:
    """Leave the words out that no row of a table has; the chunks of a column must have the same dictionary.

    A Parquet file repeats the dictionary in each of its row groups, and thousands of files have thousands of names.
    """
    for name in ("recorder_id", "file"):
        column = table.column(name).combine_chunks()
        codes = column.indices.to_numpy()
        seen = np.zeros(len(column.dictionary), np.bool_)
        seen[codes] = True
        fewer = (np.cumsum(seen, dtype=np.int32) - 1)[codes]
        words = column.dictionary.filter(pa.array(seen))
        made = pa.DictionaryArray.from_arrays(numbers(pa.int32(), fewer), words, safe=False)
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), made)
    return table
