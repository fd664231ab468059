// Matrix product in one subgroup of 8 lanes: 8 * OCTETS rows by 32 columns of `out` a workgroup, 4 steps of k a turn.
// Each lane loads four columns of `b` and one row of each octet of `a`; elements of `a` go round by shuffles, which
// lavapipe does in one instruction where a broadcast takes two.
// Before this text: OCTETS (1 or 4), then the left texts and a right text, which know the layouts.
//
// For CPU adapters with subgroups of 8 (lavapipe). What decides there, seen in the code that LLVM makes:
// - a load is done lane by lane at 8 instructions an element, and four that lie together take half of what four
//   apart do: so quads, and tiles of 32 rows, beyond which longer code costs what fewer loads save;
// - a variable changed in a loop is blended with its old value at the end of the turn, at 3 cycles: so four
//   steps a turn, and sums in an array, which is changed in place. As variables they were held twice.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

var<private> sums: array<vec4<f32>, 8u * OCTETS>;

fn addRow(row: u32, left: vec4<f32>, right: mat4x4<f32>) {
  sums[row] = addFour(sums[row], left, right);
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let rows = liveRows();
  let m = group.y * 8u * OCTETS;
  let n = group.x * 32u + lane * 4u;
  if (m >= rows) {
    return;
  }
  let columns = rightPlace(n);
  let rightStep = rightStep();
  let laneStep = laneStep();
  let row0 = lanePlace(m, rows, lane);
  let row1 = lanePlace(m + 8u, rows, lane);
  let row2 = lanePlace(m + 16u, rows, lane);
  let row3 = lanePlace(m + 24u, rows, lane);
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k += 4u) {
    let right = loadRight(columns, rightStep, k, end);
    addOctet(0u, loadLane(row0, laneStep, k, end, lane), right);
    if (OCTETS > 1u) {
      addOctet(8u, loadLane(row1, laneStep, k, end, lane), right);
      addOctet(16u, loadLane(row2, laneStep, k, end, lane), right);
      addOctet(24u, loadLane(row3, laneStep, k, end, lane), right);
    }
  }
  let offset = biasQuad(n);
  for (var i = 0u; i < sizes.blockRows; i++) {
    storeQuad(rows, m + i, n, group.z, sums[i], offset);
  }
}
