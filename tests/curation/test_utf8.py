"""UTF-8 decoding in compiled code."""

from __future__ import annotations

import sys

import numpy as np

from curation.kernels import kernel
from curation.utf8 import decode


@kernel
def decode_all(data: np.ndarray) -> np.ndarray:
    codes = np.empty((len(data), 2), np.int64)
    count, position = 0, 0
    while position < len(data):
        codes[count, 0], codes[count, 1] = decode(data, position)
        position += codes[count, 1]
        count += 1
    return codes[:count]


def test_every_code_point() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    decoded = decode_all(np.frombuffer("".join(characters).encode(), np.uint8))
    assert decoded[:, 0].tolist() == [ord(character) for character in characters]
    assert decoded[:, 1].tolist() == [len(character.encode()) for character in characters]
