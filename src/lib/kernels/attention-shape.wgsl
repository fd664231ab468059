// What the kernels of attention share; to be put before their texts.
// Sizes are uniforms, so that models, lengths and windows share pipelines.
struct Sizes {
  T: u32,
  H: u32,
  Hkv: u32,
  // Query i sees key j where j <= i and i - j < window.
  window: u32,
  // D / 4. Loops over it do not unroll, which would take software adapters seconds to compile.
  quads: u32,
  // Bits of the factor of the scores.
  scale: u32,
  // B * T
  N: u32,
}

const LOG2E = 1.4426950408889634;
const LN2 = 0.6931471805599453;

// Index of a head's row in q and its like, and in k and its like; of the last row for those past the end.
fn queryIndex(batch: u32, row: u32, head: u32) -> u32 {
  return ((batch * sizes.T + min(row, sizes.T - 1u)) * sizes.H + head) * sizes.quads;
}
fn keyIndex(batch: u32, row: u32, kvHead: u32) -> u32 {
  return ((batch * sizes.T + min(row, sizes.T - 1u)) * sizes.Hkv + kvHead) * sizes.quads;
}

fn four(first: u32) -> vec4<u32> {
  return vec4<u32>(first, first + 1u, first + 2u, first + 3u);
}

fn dots(a: vec4<f32>, b0: vec4<f32>, b1: vec4<f32>, b2: vec4<f32>, b3: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
}
