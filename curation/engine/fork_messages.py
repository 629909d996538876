"""What clients and the fork server say to each other: a length, a pickled message, descriptors; and numbers."""

from __future__ import annotations

import os
import pickle
import socket
import struct
from collections.abc import Sequence
from typing import Any

NUMBER = struct.Struct("!i")  # of a process
END = struct.Struct("!iQ")  # of a process: its exit code; largest resident memory, bytes, of all that have ended
_LENGTH = struct.Struct("!Q")
_MAX_DESCRIPTORS = 8


def send(channel: socket.socket, message: Any, descriptors: Sequence[int] = ()) -> None:
    """Send a message and descriptors.

    Raises:
        OSError: the other end is closed.
    """
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    socket.send_fds(channel, [_LENGTH.pack(len(content))], descriptors)
    channel.sendall(content)


def receive(channel: socket.socket) -> tuple[Any, list[int]]:
    """A message, and the descriptors that came with it.

    Raises:
        OSError: the other end is closed.
    """
    length, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, _MAX_DESCRIPTORS)
    try:
        length += _receive_exactly(channel, _LENGTH.size - len(length))
        return pickle.loads(_receive_exactly(channel, _LENGTH.unpack(length)[0])), descriptors
    except OSError:
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def receive_number(channel: socket.socket) -> int:
    """A number.

    Raises:
        OSError: the other end is closed.
    """
    number: int = NUMBER.unpack(_receive_exactly(channel, NUMBER.size))[0]
    return number


def _receive_exactly(channel: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        more = channel.recv(size - len(content))
        if not more:
            raise ConnectionResetError("the other end of the channel was closed")
        content += more
    return content
