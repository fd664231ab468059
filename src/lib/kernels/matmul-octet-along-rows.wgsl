// Octets of rows for matmul-subgroup.wgsl, of a left matrix whose columns lie along its rows (a transposed; M and its
// k stride multiples of 4): one load takes 4 rows at one k. Lanes 2 q and 2 q + 1 hold the two halves of the octet
// at k + q, zeros after the end of K.
@group(0) @binding(0) var<storage, read> aQuads: array<vec4<f32>>;

// Where this lane's part of the octet at `row` starts. M is a multiple of 4, so a quad is whole or outside.
fn lanePlace(row: u32, rows: u32, lane: u32) -> u32 {
  return (sizes.aOffset + min(row + (lane & 1u) * 4u, rows - 4u)) / 4u;
}

fn laneStep() -> u32 {
  return sizes.aColumnStride / 4u;
}

fn loadLane(place: u32, step: u32, k: u32, end: u32, lane: u32) -> vec4<f32> {
  let kHere = k + (lane >> 1u);
  return select(vec4<f32>(), aQuads[place + min(kHere, end - 1u) * step], kHere < end);
}

fn addOctet(first: u32, left: vec4<f32>, right: mat4x4<f32>) {
  let low = transpose(mat4x4<f32>(
    subgroupShuffle(left, 0u),
    subgroupShuffle(left, 2u),
    subgroupShuffle(left, 4u),
    subgroupShuffle(left, 6u),
  ));
  addRow(first, low[0], right);
  addRow(first + 1u, low[1], right);
  addRow(first + 2u, low[2], right);
  addRow(first + 3u, low[3], right);
  let high = transpose(mat4x4<f32>(
    subgroupShuffle(left, 1u),
    subgroupShuffle(left, 3u),
    subgroupShuffle(left, 5u),
    subgroupShuffle(left, 7u),
  ));
  addRow(first + 4u, high[0], right);
  addRow(first + 5u, high[1], right);
  addRow(first + 6u, high[2], right);
  addRow(first + 7u, high[3], right);
}
