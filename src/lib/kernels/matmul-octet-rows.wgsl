// Eight rows for matmul-subgroup.wgsl, of which lane i has loaded row i (matmul-lane-*.wgsl).
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
