"""Files of records, cut while they stream in and read part by part, so that memory does not grow with the file.

A cutter takes bytes as they come and gives parts that hold whole records each, so every part can be read alone:
CSV parts are CSV without a header (the first part has it), parts of a JSON array are JSON arrays.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import NoReturn, Protocol

import msgspec

from guerdon.kit.errors import Fault, invalid_payload

PART_BYTES = 256 * 1024
RECORD_BYTES = 1024 * 1024
BOM = b"\xef\xbb\xbf"

csv.field_size_limit(RECORD_BYTES)  # of the whole process; the reader's own limit is smaller than a record

# As many whole CSV records as there are. A field is quoted (two quotes stand for one) or has no line end; whatever
# breaks this is left over. Possessive, so that nothing is tried twice.
_CSV_RECORDS = re.compile(
    rb"""(?:(?:"(?:[^"]|"")*+"|[^",\r\n][^,\r\n]*+)?+(?:,(?:"(?:[^"]|"")*+"|[^",\r\n][^,\r\n]*+)?+)*+\r?\n)*+"""
)
_JSON_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"|["\[\]{}]', re.DOTALL)
_JSON_BETWEEN = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")
_JSON_BLANK = re.compile(rb"[ \t\r\n]*+")


class Cutter(Protocol):
    """Bytes in, parts out."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The parts that are complete now. Raises `ApiError` 400."""
        ...

    def close(self) -> Iterator[bytes]:
        """What is left, at the end of the file. Raises `ApiError` 400 when it is no whole record."""
        ...


class CsvCutter:
    """Cuts CSV (RFC 4180, UTF-8, a header first) between records.

    >>> cutter = CsvCutter("code")
    >>> [*cutter.feed(b"Code,Note\\na,one\\nb,"), *cutter.close()]
    [b'Code,Note\\na,one\\nb,']
    """

    def __init__(self, needed: str) -> None:
        self._rest = bytearray()
        self._needed = needed
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._rest += chunk
        if len(self._rest) < PART_BYTES:
            return
        end = _whole_records(self._rest)
        if end:
            yield self._checked(bytes(self._rest[:end]))
            del self._rest[:end]
        elif len(self._rest) > RECORD_BYTES:
            _refuse(f"a record is longer than {RECORD_BYTES} bytes, or a quote is not closed")

    def close(self) -> Iterator[bytes]:
        rest = bytes(self._rest)
        if rest and not rest.endswith(b"\n"):
            self._rest += b"\n"
        if _whole_records(self._rest) != len(self._rest):
            _refuse("the last record has a quote that is not closed")
        if rest or self._first:
            yield self._checked(rest)

    def _checked(self, part: bytes) -> bytes:
        first, self._first = self._first, False
        if first:
            part = part.removeprefix(BOM)
        try:
            part.decode("utf-8")
        except UnicodeDecodeError:
            _refuse("the file is not UTF-8")
        if b"\x00" in part:
            _refuse("the file holds the NUL character")
        if first and self._needed not in [column_key(name) for name in next(rows_of(part), [])]:
            _refuse(f"the first line must name the columns, among them {self._needed.title()}")
        return part


def _whole_records(data: bytes | bytearray) -> int:
    matched = _CSV_RECORDS.match(data)
    assert matched
    return matched.end()


class JsonCutter:
    """Cuts a JSON array of objects between its elements.

    >>> cutter = JsonCutter()
    >>> [*cutter.feed(b'[{"a": 1}, {"b'), *cutter.feed(b'": 2}]'), *cutter.close()]
    [b'[{"a": 1},{"b": 2}]']
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._elements: list[bytes] = []
        self._size = 0
        self._opened = self._closed = False
        self._some = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        self._rest += chunk
        self._take()
        if self._size >= PART_BYTES:
            yield self._part()
        if len(self._rest) > RECORD_BYTES:
            _refuse(f"an element is longer than {RECORD_BYTES} bytes")

    def close(self) -> Iterator[bytes]:
        if not self._closed or self._rest.strip():
            _refuse("the body must be one JSON array of objects")
        if self._elements:
            yield self._part()

    def _part(self) -> bytes:
        part = b"[" + b",".join(self._elements) + b"]"
        self._elements, self._size = [], 0
        return part

    def _take(self) -> None:
        """Move the whole elements out of what came so far."""
        data, position = bytes(self._rest), 0
        if not self._opened:
            position = _blanks(data, 0)
            if position == len(data):
                return
            if data[position] != ord("["):
                _refuse("the body must be a JSON array of objects")
            self._opened, position = True, position + 1
        while not self._closed:
            start = _blanks(data, position)
            if start < len(data) and data[start] == ord("]"):
                self._closed, position = True, start + 1
                break
            if self._some:
                comma = _JSON_BETWEEN.match(data, position)
                if comma is None and start < len(data):
                    _refuse("the elements of the array must be separated by commas")
                start = comma.end() if comma else start
            end = _element_end(data, start)
            if end is None:
                break
            self._elements.append(data[start:end])
            self._size += end - start
            self._some, position = True, end
        del self._rest[:position]


def _blanks(data: bytes, position: int) -> int:
    matched = _JSON_BLANK.match(data, position)
    assert matched
    return matched.end()


def _element_end(data: bytes, start: int) -> int | None:
    """Where the object at `start` ends; None when it has not ended yet."""
    if start == len(data):
        return None
    if data[start] != ord("{"):
        _refuse("every element of the array must be an object")
    depth = 0
    for token in _JSON_TOKENS.finditer(data, start):
        text = token[0]
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return token.end()
        elif text == b'"':
            return None  # a text that goes on in the next chunk
    return None


def rows_of(part: bytes) -> Iterator[list[str]]:
    """The records of a CSV part; empty lines are left out."""
    return (row for row in csv.reader(io.StringIO(part.decode("utf-8"), newline="")) if row)


def elements_of(part: bytes) -> list[msgspec.Raw]:
    """The elements of a JSON part, as they were written. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(part, type=list[msgspec.Raw])


def column_key(name: str) -> str:
    """A column's name as it is compared: lower case, one blank between words.

    >>> column_key(" Discount_Type ")
    'discount type'
    """
    return " ".join(name.replace("_", " ").lower().split())


def _refuse(message: str) -> NoReturn:
    raise invalid_payload(Fault("file", message))
