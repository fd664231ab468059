/**
 * The generator of all randomness that is decided on the CPU (initial A, shuffling): xoshiro128**
 * (Blackman and Vigna, https://prng.di.unimi.it/), seeded by SplitMix32, so that a seed means the
 * same on every machine.
 */
export class Xoshiro128 {
  private readonly state: Uint32Array;

  constructor(seed: number) {
    this.state = new Uint32Array(4);
    let x = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.state[i] = (z ^ (z >>> 15)) >>> 0;
    }
  }

  /** 32 random bits. */
  nextUint32(): number {
    const s = this.state;
    const scrambled = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotateLeft(s[3], 11);
    return scrambled;
  }

  /** Uniform in [0, 1), 24 bits, exact in f32. */
  nextUnit(): number {
    return (this.nextUint32() >>> 8) / 0x1000000;
  }

  /** Standard normal (Box and Muller 1958), one value of the pair. */
  nextNormal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.nextUnit()));
    return radius * Math.cos(2 * Math.PI * this.nextUnit());
  }

  /** Uniform whole number in [0, bound), without bias (rejection). */
  nextBelow(bound: number): number {
    const limit = Math.floor(0x100000000 / bound) * bound;
    for (;;) {
      const value = this.nextUint32();
      if (value < limit) return value % bound;
    }
  }
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}
