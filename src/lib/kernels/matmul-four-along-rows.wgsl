// Four rows for matmul-quad.wgsl, of a left matrix whose columns lie along its rows (a transposed; M and its k stride
// multiples of 4): one load takes 4 rows at one k. Lane i loads the rows at k + i, zeros after the end of K.
@group(0) @binding(0) var<storage, read> aQuads: array<vec4<f32>>;

// Where the four rows at `row` start. M is a multiple of 4, so they are whole or outside.
fn lanePlace(row: u32, rows: u32, lane: u32) -> u32 {
  return (sizes.aOffset + min(row, rows - 4u)) / 4u;
}

fn laneStep() -> u32 {
  return sizes.aColumnStride / 4u;
}

fn loadLane(place: u32, step: u32, k: u32, end: u32, lane: u32) -> vec4<f32> {
  let kHere = k + lane;
  return select(vec4<f32>(), aQuads[place + min(kHere, end - 1u) * step], kHere < end);
}

// Column i of the result: row i at the four steps.
fn fourRows(own: vec4<f32>) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(
    quadBroadcast(own, 0u),
    quadBroadcast(own, 1u),
    quadBroadcast(own, 2u),
    quadBroadcast(own, 3u),
  ));
}
