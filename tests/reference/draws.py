"""What a run of ours draws where the Trainer would ask torch: the order of the rows and NEFTune's noise. Written from
the README ("Our own draws"), vectorised where the product loops. All words are unsigned, of 32 bits, and wrap around.
"""

import numpy

WORD = 0xFFFFFFFF
U32 = numpy.uint32
# Every micro-batch is padded to a multiple of this many tokens; the noise is counted over the padded one.
LENGTH_STEP = 16
NEFTUNE_DOMAIN = int.from_bytes(b"neft", "big")


def splitmix32(seed: int, count: int) -> list[int]:
    words = []
    for index in range(1, count + 1):
        z = (seed + index * 0x9E3779B9) & WORD
        z = (z ^ z >> 16) * 0x21F0AAAD & WORD
        z = (z ^ z >> 15) * 0x735A2D97 & WORD
        words.append(z ^ z >> 15)
    return words


def rotate_left(x: int, count: int) -> int:
    return (x << count | x >> (32 - count)) & WORD


def xoshiro128(state: list[int]):
    """xoshiro128** from four words."""
    a, b, c, d = state
    while True:
        yield rotate_left(b * 5 & WORD, 7) * 9 & WORD
        c, d, shifted = c ^ a, d ^ b, b << 9 & WORD
        a, b, c, d = a ^ d, b ^ c, c ^ shifted, rotate_left(d, 11)


def below(words, bound: int) -> int:
    """The first word under the largest multiple of bound that 32 bits hold, modulo bound."""
    return next(word for word in words if word < 2**32 // bound * bound) % bound


def shuffled(count: int, seed: int, epoch: int) -> list[int]:
    """Fisher and Yates's shuffle of 0, 1, ... from the end."""
    words = xoshiro128(splitmix32((seed + epoch) & WORD, 4))
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = below(words, last + 1)
        order[last], order[other] = order[other], order[last]
    return order


def micro_batch_seed(seed: int, step: int, index: int) -> int:
    """murmur3's finaliser over the step (from 0) and the micro-batch's place in it (from 0)."""
    h = seed ^ (step + 1) * 0x9E3779B1 & WORD ^ (index + 1) * 0x85EBCA77 & WORD
    h = (h ^ h >> 16) * 0x85EBCA6B & WORD
    h = (h ^ h >> 13) * 0xC2B2AE35 & WORD
    return h ^ h >> 16


def pcg4d(keys: numpy.ndarray) -> numpy.ndarray:
    """Jarzynski and Olano (2020): (..., 4) words to as many."""
    x, y, z, w = (keys[..., i] * U32(1664525) + U32(1013904223) for i in range(4))
    for mixing in range(2):
        x = x + y * w
        y = y + z * x
        z = z + x * y
        w = w + y * z
        if mixing == 0:
            x, y, z, w = (word ^ word >> U32(16) for word in (x, y, z, w))
    return numpy.stack([x, y, z, w], axis=-1)


def neftune_units(seed: int, B: int, T: int, C: int) -> numpy.ndarray:
    """(B, T, C) of multiples of 2^-23 in [-1, 1): element e of the padded batch is word e mod 4 of the hash of
    (e div 4, 0, seed, "neft"), its upper 24 bits."""
    padded = -(-T // LENGTH_STEP) * LENGTH_STEP
    keys = numpy.zeros((-(-B * padded * C // 4), 4), U32)
    keys[:, 0] = numpy.arange(len(keys))
    keys[:, 2:] = seed, NEFTUNE_DOMAIN
    units = (pcg4d(keys).ravel()[: B * padded * C] >> U32(8)) * 2.0**-23 - 1
    return units.reshape(B, padded, C)[:, :T]


def check_draws() -> None:
    """xoshiro128** gives what its authors' program gives from the state 1, 2, 3, 4."""
    words = xoshiro128([1, 2, 3, 4])
    assert [next(words) for _ in range(5)] == [11520, 0, 5927040, 70819200, 2031721883]
    assert sorted(shuffled(50, 7, 1)) == list(range(50)) != shuffled(50, 7, 1)
    units = neftune_units(micro_batch_seed(42, 0, 0), 2, 17, 64)
    assert units.shape == (2, 17, 64) and abs(units.mean()) < 0.05 and abs((units**2).mean() - 1 / 3) < 0.02
