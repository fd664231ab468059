// Right matrix whose columns lie along k (a weight (N, K); K a multiple of 4): one load takes 4 steps of k.
// Before this text: a weight's prelude.
@group(0) @binding(1) var<storage, read> bQuads: array<WeightFour>;

// Where the four columns from n on start.
fn rightPlace(n: u32) -> vec4<u32> {
  let columns = min(n + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.N - 1u));
  return columns * sizes.bColumnStride / 4u;
}

fn rightStep() -> u32 {
  return 0u;
}

// Column q of the result: the four columns of b at k + q.
fn loadRight(place: vec4<u32>, step: u32, k: u32, end: u32) -> mat4x4<f32> {
  let index = place + k / 4u;
  return transpose(mat4x4<f32>(
    weightFour(bQuads[index.x]),
    weightFour(bQuads[index.y]),
    weightFour(bQuads[index.z]),
    weightFour(bQuads[index.w]),
  ));
}
