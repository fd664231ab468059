// Octets of rows for matmul-subgroup.wgsl, of a left matrix of any strides: four loads take 4 steps of k, zeros after
// the end of K. Lane i holds row i.

// Where this lane's part of the octet at `row` starts.
fn octetPlace(row: u32, rows: u32, lane: u32) -> u32 {
  return sizes.aOffset + min(row + lane, rows - 1u) * sizes.aRowStride;
}

fn octetStep() -> u32 {
  return sizes.aColumnStride;
}

fn loadOctet(place: u32, step: u32, k: u32, end: u32, lane: u32) -> vec4<f32> {
  let ks = k + vec4<u32>(0u, 1u, 2u, 3u);
  let index = place + min(ks, vec4<u32>(end - 1u)) * step;
  let values = vec4<f32>(a[index.x], a[index.y], a[index.z], a[index.w]);
  return select(vec4<f32>(), values, ks < vec4<u32>(end));
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
