// Matrix product by subgroups of 8 lanes or more, of whatever size: for graphics cards, no workgroup memory, no barrier.
// Each invocation computes 16 rows by 4 columns of `out`, a workgroup 16 rows by 256 columns, 4 steps of k a turn.
// A lane loads four columns of `b` and its row of each octet of `a`, as if it were one of 8; those go round by shuffles
// whose place is known beforehand, which cards do as broadcasts. So 6 loads of four serve 64 multiply-adds of four, where
// `register` takes 16 loads for as many.
// Before this text: the left texts for 8 lanes and a right text, which know the layouts.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

// Never indexed by a variable, so that a compiler can keep all of them in registers.
var<private> sums: array<vec4<f32>, 16>;

fn addRow(row: u32, left: vec4<f32>, right: mat4x4<f32>) {
  sums[row] = addFour(sums[row], left, right);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let rows = liveRows();
  let m = group.y * 16u;
  let n = group.x * 256u + thread * 4u;
  if (m >= rows) {
    return;
  }
  let lane = subgroupLane & 7u;
  let columns = rightPlace(n);
  let rightStep = rightStep();
  let laneStep = laneStep();
  let row0 = lanePlace(m, rows, lane);
  let row1 = lanePlace(m + 8u, rows, lane);
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k += 4u) {
    let right = loadRight(columns, rightStep, k, end);
    addOctet(0u, loadLane(row0, laneStep, k, end, lane), right);
    addOctet(8u, loadLane(row1, laneStep, k, end, lane), right);
  }
  let offset = biasQuad(n);
  storeQuad(rows, m, n, group.z, sums[0], offset);
  storeQuad(rows, m + 1u, n, group.z, sums[1], offset);
  storeQuad(rows, m + 2u, n, group.z, sums[2], offset);
  storeQuad(rows, m + 3u, n, group.z, sums[3], offset);
  storeQuad(rows, m + 4u, n, group.z, sums[4], offset);
  storeQuad(rows, m + 5u, n, group.z, sums[5], offset);
  storeQuad(rows, m + 6u, n, group.z, sums[6], offset);
  storeQuad(rows, m + 7u, n, group.z, sums[7], offset);
  storeQuad(rows, m + 8u, n, group.z, sums[8], offset);
  storeQuad(rows, m + 9u, n, group.z, sums[9], offset);
  storeQuad(rows, m + 10u, n, group.z, sums[10], offset);
  storeQuad(rows, m + 11u, n, group.z, sums[11], offset);
  storeQuad(rows, m + 12u, n, group.z, sums[12], offset);
  storeQuad(rows, m + 13u, n, group.z, sums[13], offset);
  storeQuad(rows, m + 14u, n, group.z, sums[14], offset);
  storeQuad(rows, m + 15u, n, group.z, sums[15], offset);
}
