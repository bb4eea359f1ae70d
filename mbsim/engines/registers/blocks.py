"""Which students share a register, and what belongs to each block of them.

Words are as narrow as the widest batch of a block allows, so that small batches waste few bits: a register of
64 bytes holds 64 students of m <= 8, 32 of m <= 16, 16 of m <= 32, and 8 beyond, in as many words as they
need.
"""

from typing import NamedTuple

import numpy as np

from mbsim.engines.registers.cipher import CIPHERS, ciphers_of
from mbsim.engines.registers.sizes import students_in, word_bits
from mbsim.sampling.streams import Key


class Block(NamedTuple):
    """Students that are trained together: their numbers in the task (students,), the last repeated to fill the
    register; how many are real; bits of a word, words of a batch.
    """

    members: np.ndarray
    used: int
    bits: int
    words: int


def cut(m: np.ndarray, readers: int) -> list[Block]:
    """Blocks for students with batches m (students,): widest first, the room that is left filled with narrower
    ones.
    """
    by_width = np.argsort(-m, kind="stable")
    blocks, begin = [], 0
    while begin < len(by_width):
        widest = int(m[by_width[begin]])
        bits = word_bits(widest, readers)
        some = by_width[begin : begin + students_in(bits)]
        padded = np.concatenate([some, np.repeat(some[-1:], students_in(bits) - len(some))])
        blocks.append(Block(padded, len(some), bits, -(-widest // bits)))
        begin += len(some)
    return blocks


def valid_examples(m: np.ndarray, words: int, bits: int) -> np.ndarray:
    """A row (words * students) of ones at the first m examples of each student (students,)."""
    inside = np.clip(m[None, :] - bits * np.arange(words)[:, None], 0, bits)
    ones = np.array(2**bits - 1, f"uint{bits}")
    # A shift by the whole width is undefined.
    row = np.where(inside > 0, ones >> np.minimum(bits - inside, bits - 1).astype(ones.dtype), 0)
    return row.astype(ones.dtype).ravel()


def student_keys(key: Key, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the block's students, filled up to whole registers of ciphers."""
    filled = np.resize(block.members, max(CIPHERS, len(block.members)))
    return key.first[filled], key.second[filled]


def cipher_keys(key: Key, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """The same with an entry for each cipher that fills a row."""
    return ciphers_of(key.first[block.members], block.bits), ciphers_of(key.second[block.members], block.bits)
