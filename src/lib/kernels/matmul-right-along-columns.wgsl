// Right matrix whose rows lie along its columns (a weight (K, N); N a multiple of 4): one load takes 4 columns at one k.
// Before this text: a weight's prelude.
@group(0) @binding(1) var<storage, read> bQuads: array<WeightFour>;

// Where the four columns from n on start. N is a multiple of 4, so a quad is whole or outside.
fn rightPlace(n: u32) -> vec4<u32> {
  return vec4<u32>(min(n, sizes.N - 4u) / 4u);
}

fn rightStep() -> u32 {
  return sizes.bRowStride / 4u;
}

fn rightRow(place: u32, step: u32, k: u32, end: u32) -> vec4<f32> {
  return select(vec4<f32>(), weightFour(bQuads[place + min(k, end - 1u) * step]), k < end);
}

// Column q of the result: the four columns of b at k + q, zeros after the end of K.
fn loadRight(place: vec4<u32>, step: u32, k: u32, end: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    rightRow(place.x, step, k, end),
    rightRow(place.x, step, k + 1u, end),
    rightRow(place.x, step, k + 2u, end),
    rightRow(place.x, step, k + 3u, end),
  );
}
