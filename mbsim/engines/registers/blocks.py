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
    """Students that are trained together: their places among the lanes (students,), the last repeated to fill
    the register; how many are real; bits of a word, words of a batch.
    """

    lanes: np.ndarray
    used: int
    bits: int
    words: int


def cut(m: np.ndarray, readers: int) -> list[Block]:
    """Blocks for lanes with batches m (lanes,): widest first, the room that is left filled with narrower
    ones.
    """
    order = np.argsort(-m, kind="stable")
    blocks, begin = [], 0
    while begin < len(order):
        widest = int(m[order[begin]])
        bits = word_bits(widest, readers)
        lanes = order[begin : begin + students_in(bits)]
        padded = np.concatenate([lanes, np.repeat(lanes[-1:], students_in(bits) - len(lanes))])
        blocks.append(Block(padded, len(lanes), bits, -(-widest // bits)))
        begin += len(lanes)
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
    lanes = np.resize(block.lanes, max(CIPHERS, len(block.lanes)))
    return key.first[lanes], key.second[lanes]


def cipher_keys(key: Key, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """The same with an entry for each cipher that fills a row."""
    return ciphers_of(key.first[block.lanes], block.bits), ciphers_of(key.second[block.lanes], block.bits)
