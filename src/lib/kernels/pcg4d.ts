/**
 * Random words as a pure function of a counter: the same call draws the same numbers, on the GPU and here,
 * so that nothing is stored and a resumed run draws what it would have drawn.
 */
import PCG4D_WGSL from './pcg4d.wgsl?raw';

/** `pcg4d(key: vec4<u32>) -> vec4<u32>`, to be put before a kernel's text. */
export const PCG4D_PRELUDE = PCG4D_WGSL;

/** Elements that share one hash: its four words. */
export const ELEMENTS_PER_HASH = 4;

/** The twin of the function in pcg4d.wgsl, on unsigned words. */
export function pcg4d(...key: [number, number, number, number]): [number, number, number, number] {
  let [x, y, z, w] = key.map((word) => (Math.imul(word, 1664525) + 1013904223) | 0);
  const mix = () => {
    x = (x + Math.imul(y, w)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
    w = (w + Math.imul(y, z)) | 0;
  };
  mix();
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  w ^= w >>> 16;
  mix();
  return [x >>> 0, y >>> 0, z >>> 0, w >>> 0];
}
