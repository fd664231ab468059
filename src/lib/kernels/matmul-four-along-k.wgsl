// Four rows for matmul-quad.wgsl, of a left matrix whose rows lie along k (a as it is; K and its row stride multiples of
// 4): one load takes 4 steps of k. Lane i loads row i.
@group(0) @binding(0) var<storage, read> aQuads: array<vec4<f32>>;

// Where this lane's part of the four rows at `row` starts.
fn fourPlace(row: u32, rows: u32, lane: u32) -> u32 {
  return (sizes.aOffset + min(row + lane, rows - 1u) * sizes.aRowStride) / 4u;
}

fn fourStep() -> u32 {
  return 0u;
}

// Column i of the result: row i at the four steps.
fn loadFour(place: u32, step: u32, k: u32, end: u32, lane: u32) -> mat4x4<f32> {
  let own = aQuads[place + k / 4u];
  return mat4x4<f32>(
    quadBroadcast(own, 0u),
    quadBroadcast(own, 1u),
    quadBroadcast(own, 2u),
    quadBroadcast(own, 3u),
  );
}
