// Octets of rows for matmul-subgroup.wgsl, of a left matrix whose rows lie along k (a as it is; K and its row stride
// multiples of 4): one load takes 4 steps of k. Lane i holds row i.
@group(0) @binding(0) var<storage, read> aQuads: array<vec4<f32>>;

// Where this lane's part of the octet at `row` starts.
fn octetPlace(row: u32, rows: u32, lane: u32) -> u32 {
  return (sizes.aOffset + min(row + lane, rows - 1u) * sizes.aRowStride) / 4u;
}

fn octetStep() -> u32 {
  return 0u;
}

fn loadOctet(place: u32, step: u32, k: u32, end: u32, lane: u32) -> vec4<f32> {
  return aQuads[place + k / 4u];
}

fn addOctet(first: u32, left: vec4<f32>, right: mat4x4<f32>) {
  addRow(first, subgroupShuffle(left, 0u), right);
  addRow(first + 1u, subgroupShuffle(left, 1u), right);
  addRow(first + 2u, subgroupShuffle(left, 2u), right);
  addRow(first + 3u, subgroupShuffle(left, 3u), right);
  addRow(first + 4u, subgroupShuffle(left, 4u), right);
  addRow(first + 5u, subgroupShuffle(left, 5u), right);
  addRow(first + 6u, subgroupShuffle(left, 6u), right);
  addRow(first + 7u, subgroupShuffle(left, 7u), right);
}
