// Matrix product in one subgroup of 8 lanes, of operands that lie in images: 8 * OCTETS rows by 32 columns of `out` a
// workgroup, 8 steps of k a turn (K a multiple of 8). Each lane loads four columns of `b` and its part of each octet
// of `a`; elements of `a` go round by shuffles.
// Before this text: OCTETS (1 or 4), matmul-image-texels.wgsl, the text of the type of `b`, a left and a right text.
// The grid is [tiles of rows in a band, tiles of columns times bands, parts of K].
//
// For CPU adapters with subgroups of 8 (lavapipe). What decides there, seen in the code that LLVM makes:
// - a texel takes 55 instructions for all lanes; four words of a storage buffer take some 300, since there every element
//   of every lane is checked against the buffer's end, with a jump;
// - a variable changed in a loop is blended with its old value at the end of the turn, at 3 cycles: so eight steps a
//   turn, which save more than taller tiles would of the loads, and sums in an array.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

var<private> sums: array<vec4<f32>, 8u * OCTETS>;

fn addRow(row: u32, low: vec4<f32>, high: vec4<f32>, right: EightSteps) {
  sums[row] = addFour(addFour(sums[row], low, right.low), high, right.high);
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let rows = liveRows();
  let across = (sizes.N + 31u) / 32u;
  let m = (group.y / across * groups.x + group.x) * 8u * OCTETS;
  let n = group.y % across * 32u + lane * 4u;
  if (m >= rows) {
    return;
  }
  let columns = rightPlace(n);
  let row0 = lanePlace(m, lane);
  let row1 = lanePlace(m + 8u, lane);
  let row2 = lanePlace(m + 16u, lane);
  let row3 = lanePlace(m + 24u, lane);
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k += 8u) {
    let right = loadRight(columns, k);
    addOctet(0u, loadOctet(row0, k, lane), right);
    if (OCTETS > 1u) {
      addOctet(8u, loadOctet(row1, k, lane), right);
      addOctet(16u, loadOctet(row2, k, lane), right);
      addOctet(24u, loadOctet(row3, k, lane), right);
    }
  }
  let offset = biasQuad(n);
  for (var i = 0u; i < sizes.blockRows; i++) {
    storeQuad(rows, m + i, n, group.z, sums[i], offset);
  }
}
