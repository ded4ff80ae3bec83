"""The room that a COPY asks of the kernel."""

import os
import socket
from pathlib import Path

import pytest

from helios_core.store.stream import SEND_BUFFER, reads_plainly, widen

LIMIT = Path("/proc/sys/net/core/wmem_max")


def send_buffer(conn):
    with socket.socket(fileno=os.dup(conn.fileno())) as wire:
        return wire.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


@pytest.mark.skipif(not LIMIT.exists(), reason="only Linux says how much it allows")
def test_a_copy_gets_the_send_buffer_that_the_kernel_allows(db):
    if not reads_plainly(db):
        pytest.skip("the server is not reached through a unix socket")
    before = send_buffer(db)
    widen(db)

    # Linux doubles what is asked for, to have room for its own bookkeeping: socket(7)
    assert send_buffer(db) == max(before, 2 * min(SEND_BUFFER, int(LIMIT.read_text())))
    assert db.execute("SELECT 1").fetchone() == (1,)
