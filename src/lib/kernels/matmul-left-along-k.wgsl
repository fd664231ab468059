// Left matrix whose rows lie along k (a as it is; K and its row stride multiples of 4): one load takes 4 steps of k.
@group(0) @binding(0) var<storage, read> aQuads: array<vec4<f32>>;

// Where the four rows from m on start.
fn leftPlace(m: u32, rows: u32) -> vec4<u32> {
  let four = min(m + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u));
  return (sizes.aOffset + four * sizes.aRowStride) / 4u;
}

fn leftStep() -> u32 {
  return 0u;
}

// Column q of the result: the four rows of a at k + q.
fn loadLeft(place: vec4<u32>, step: u32, k: u32, end: u32) -> mat4x4<f32> {
  let index = place + k / 4u;
  return transpose(mat4x4<f32>(aQuads[index.x], aQuads[index.y], aQuads[index.z], aQuads[index.w]));
}
