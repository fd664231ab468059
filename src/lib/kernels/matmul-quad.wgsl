// Matrix product in one subgroup of 4 lanes: 8 rows by 16 columns of `out` a workgroup, 4 steps of k a turn.
// Each lane loads four columns of `b` and a quarter of each four rows of `a`, which go round by quad broadcasts.
// Before this text: the left texts and a right text, which know the layouts.
//
// For CPU adapters with subgroups of 4 (SwiftShader). What decides there, seen in the code that it makes:
// - a load is done lane by lane at some 75 instructions an element, and sharing the rows of `a` halves the loads;
// - the more code the slower: a text half as long as `register` compiles in half the time too;
// - multiply-adds of single elements, one chain after the other, keep more in registers than those of vectors.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

fn addChain(before: f32, left: vec4<f32>, r0: f32, r1: f32, r2: f32, r3: f32) -> f32 {
  return fma(left.w, r3, fma(left.z, r2, fma(left.y, r1, fma(left.x, r0, before))));
}

fn addRow(before: vec4<f32>, left: vec4<f32>, right: mat4x4<f32>) -> vec4<f32> {
  return vec4<f32>(
    addChain(before.x, left, right[0].x, right[1].x, right[2].x, right[3].x),
    addChain(before.y, left, right[0].y, right[1].y, right[2].y, right[3].y),
    addChain(before.z, left, right[0].z, right[1].z, right[2].z, right[3].z),
    addChain(before.w, left, right[0].w, right[1].w, right[2].w, right[3].w),
  );
}

@compute @workgroup_size(4)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let rows = liveRows();
  let m = group.y * 8u;
  let n = group.x * 16u + lane * 4u;
  if (m >= rows) {
    return;
  }
  let columns = rightPlace(n);
  let rightStep = rightStep();
  let rows0 = lanePlace(m, rows, lane);
  let rows1 = lanePlace(m + 4u, rows, lane);
  let laneStep = laneStep();
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  var sum4 = vec4<f32>();
  var sum5 = vec4<f32>();
  var sum6 = vec4<f32>();
  var sum7 = vec4<f32>();
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k += 4u) {
    let right = loadRight(columns, rightStep, k, end);
    let left0 = fourRows(loadLane(rows0, laneStep, k, end, lane));
    sum0 = addRow(sum0, left0[0], right);
    sum1 = addRow(sum1, left0[1], right);
    sum2 = addRow(sum2, left0[2], right);
    sum3 = addRow(sum3, left0[3], right);
    let left1 = fourRows(loadLane(rows1, laneStep, k, end, lane));
    sum4 = addRow(sum4, left1[0], right);
    sum5 = addRow(sum5, left1[1], right);
    sum6 = addRow(sum6, left1[2], right);
    sum7 = addRow(sum7, left1[3], right);
  }
  let offset = biasQuad(n);
  var sums = array<vec4<f32>, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
  for (var i = 0u; i < sizes.blockRows; i++) {
    storeQuad(rows, m + i, n, group.z, sums[i], offset);
  }
}
