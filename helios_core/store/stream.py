"""The connection's own unix socket, past libpq: the answer to a COPY, and room to send one.

libpq hands out one object a row, which costs more than everything else together. Here the bytes go
from the socket into one buffer that is decoded as a block. libpq, which sent the command, is then
answered by an empty query, so that it learns the state of the transaction and stays usable.
"""

import os
import select
import socket
import struct
from typing import Any

import psycopg
from psycopg import pq

from helios_core.errors import DependencyError, StoreError
from helios_core.store.decoding import FRAME, RowDecoder
from helios_core.store.encoding import SIGNATURE, TRAILER

BUFFER = 1 << 20
SEND_BUFFER = 4 << 20
EMPTY_QUERY = b"Q" + struct.pack(">i", 6) + b";\0"
READY = b"Z\0\0\0\5"  # followed by one byte, the state of the transaction


def reads_plainly(conn: psycopg.Connection[Any]) -> bool:
    """Whether the bytes on the connection's socket are the protocol itself, never encrypted."""
    return conn.info.host.startswith("/")


def widen(conn: psycopg.Connection[Any]) -> None:
    """Ask the kernel for room for several blocks between us and the server.

    In the usual 208 KiB the server runs dry before the kernel lets us write again: with 4 MiB it
    took a million rows a quarter faster. The kernel gives what ``net.core.wmem_max`` allows. Over
    TCP nothing is changed, because that would end the kernel's own tuning.
    """
    if reads_plainly(conn):
        with socket.socket(fileno=os.dup(conn.fileno())) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def read_copy(conn: psycopg.Connection[Any], command: bytes, decoder: RowDecoder) -> None:
    """Run ``COPY ... TO STDOUT (FORMAT BINARY)`` and feed its rows to `decoder`.

    Raises
    ------
    psycopg.Error
        If the server refuses the command.
    StoreError
        If the rows do not have the decoder's types; the connection is closed then.
    DependencyError
        If the server goes away.
    """
    if conn.info.transaction_status == pq.TransactionStatus.IDLE and not conn.autocommit:
        conn.execute("SELECT 1")  # opens the transaction, as any other statement would
    conn.pgconn.send_query(command)
    while conn.pgconn.flush():
        select.select([], [conn.fileno()], [])
    answer = _Answer(decoder)
    in_step = False
    try:
        _receive(conn.fileno(), answer)
        _tell_libpq(conn)
        in_step = True
    finally:
        if not in_step:
            conn.close()
    if answer.error is not None:
        raise answer.error


class _Answer:
    """The state of one answer: what of it was read."""

    def __init__(self, decoder: RowDecoder) -> None:
        self.decoder = decoder
        self.signed = False
        self.done = False
        self.error: psycopg.Error | None = None

    def take(self, view: memoryview) -> int:
        """Take all complete messages at the start of `view`; return the bytes taken."""
        at = 0
        while len(view) - at >= FRAME and not self.done:
            kind, length = struct.unpack_from(">ci", view, at)
            if self.signed and kind == b"d":
                taken = self.decoder.feed(view[at:])
                if taken:
                    at += taken
                    continue
            if len(view) - at < 1 + length:
                break
            self._message(kind, view[at + FRAME : at + 1 + length])
            at += 1 + length
        return at

    def _message(self, kind: bytes, body: memoryview) -> None:
        if kind == b"Z":
            self.done = True
        elif kind == b"E":
            self.error = _server_error(bytes(body))
        elif kind == b"d" and not self.signed:
            self.signed = True
            row = bytes(body[len(SIGNATURE) :])
            if row != TRAILER:
                self._row(row)
        elif kind == b"d" and bytes(body) != TRAILER:
            self._row(bytes(body))

    def _row(self, row: bytes) -> None:
        frame = b"d" + struct.pack(">i", len(row) + 4) + row
        if self.decoder.feed(memoryview(frame)) != len(frame):
            raise StoreError("a row of a COPY does not have the columns that were asked for")


def _receive(descriptor: int, answer: _Answer) -> None:
    """Read until the server is ready for the next query."""
    buffer, held = bytearray(BUFFER), 0
    while not answer.done:
        view = memoryview(buffer)
        try:
            size = os.readv(descriptor, [view[held:]])
        except BlockingIOError:
            select.select([descriptor], [], [])
            continue
        if size == 0:
            raise DependencyError(
                "the database closed the connection in the middle of a read; start it again "
                "with `helios db up` and repeat"
            )
        held += size
        if held < len(buffer) and buffer[held - 6 : held - 1] != READY:
            continue  # decode large blocks, and what is left when the server has finished
        taken = answer.take(view[:held])
        rest = bytes(view[taken:held])
        view.release()
        if len(rest) == len(buffer):
            buffer.extend(bytes(len(buffer)))  # one row is larger than the buffer
        buffer[: len(rest)] = rest
        held = len(rest)


def _tell_libpq(conn: psycopg.Connection[Any]) -> None:
    """Answer libpq's pending query by that of an empty one."""
    pgconn = conn.pgconn
    rest = memoryview(EMPTY_QUERY)
    while rest:
        select.select([], [pgconn.socket], [])
        rest = rest[os.write(pgconn.socket, rest) :]
    while True:
        while pgconn.is_busy():
            select.select([pgconn.socket], [], [])
            pgconn.consume_input()
        if pgconn.get_result() is None:
            return


def _server_error(body: bytes) -> psycopg.Error:
    """Return the error of a server's message, of the class of its SQLSTATE."""
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    try:
        kind: type[psycopg.Error] = psycopg.errors.lookup(fields.get(b"C", ""))
    except KeyError:
        kind = psycopg.DatabaseError
    return kind(fields.get(b"M", "the server refused the command"))
