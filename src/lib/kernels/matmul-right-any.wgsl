// Right matrix of any strides: sixteen loads take 4 steps of k of four columns, zeros after the end of K.
// Before this text: a weight's prelude.

// Where the four columns from n on start.
fn rightPlace(n: u32) -> vec4<u32> {
  return min(n + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.N - 1u)) * sizes.bColumnStride;
}

fn rightStep() -> u32 {
  return sizes.bRowStride;
}

fn rightRow(place: vec4<u32>, step: u32, k: u32, end: u32) -> vec4<f32> {
  return select(vec4<f32>(), weightQuad(place + min(k, end - 1u) * step), k < end);
}

// Column q of the result: the four columns of b at k + q.
fn loadRight(place: vec4<u32>, step: u32, k: u32, end: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    rightRow(place, step, k, end),
    rightRow(place, step, k + 1u, end),
    rightRow(place, step, k + 2u, end),
    rightRow(place, step, k + 3u, end),
  );
}
