// Matrix product from registers: one invocation computes 8 by 8 of `out`, no workgroup memory, 4 steps of k a turn.
// For adapters that run on a CPU, where workgroup memory is ordinary memory and a barrier costs.
// Before this text: a left and a right text, which load and know the layouts.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let rows = liveRows();
  let threadsY = 64u / sizes.threadsX;
  let m = (group.y * threadsY + thread / sizes.threadsX) * 8u;
  let n = (group.x * sizes.threadsX + thread % sizes.threadsX) * 8u;
  if (m >= rows || n >= sizes.N) {
    return;
  }
  let columns0 = rightPlace(n);
  let columns1 = rightPlace(n + 4u);
  let rightStep = rightStep();
  let rows0 = leftPlace(m, rows);
  let rows1 = leftPlace(m + 4u, rows);
  let leftStep = leftStep();
  var sum00 = vec4<f32>();
  var sum01 = vec4<f32>();
  var sum10 = vec4<f32>();
  var sum11 = vec4<f32>();
  var sum20 = vec4<f32>();
  var sum21 = vec4<f32>();
  var sum30 = vec4<f32>();
  var sum31 = vec4<f32>();
  var sum40 = vec4<f32>();
  var sum41 = vec4<f32>();
  var sum50 = vec4<f32>();
  var sum51 = vec4<f32>();
  var sum60 = vec4<f32>();
  var sum61 = vec4<f32>();
  var sum70 = vec4<f32>();
  var sum71 = vec4<f32>();
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k += 4u) {
    let right0 = loadRight(columns0, rightStep, k, end);
    let right1 = loadRight(columns1, rightStep, k, end);
    let left0 = transpose(loadLeft(rows0, leftStep, k, end));
    sum00 = addFour(sum00, left0[0], right0);
    sum01 = addFour(sum01, left0[0], right1);
    sum10 = addFour(sum10, left0[1], right0);
    sum11 = addFour(sum11, left0[1], right1);
    sum20 = addFour(sum20, left0[2], right0);
    sum21 = addFour(sum21, left0[2], right1);
    sum30 = addFour(sum30, left0[3], right0);
    sum31 = addFour(sum31, left0[3], right1);
    let left1 = transpose(loadLeft(rows1, leftStep, k, end));
    sum40 = addFour(sum40, left1[0], right0);
    sum41 = addFour(sum41, left1[0], right1);
    sum50 = addFour(sum50, left1[1], right0);
    sum51 = addFour(sum51, left1[1], right1);
    sum60 = addFour(sum60, left1[2], right0);
    sum61 = addFour(sum61, left1[2], right1);
    sum70 = addFour(sum70, left1[3], right0);
    sum71 = addFour(sum71, left1[3], right1);
  }
  let offset0 = biasQuad(n);
  let offset1 = biasQuad(n + 4u);
  for (var i = 0u; i < sizes.blockRows; i++) {
    var sum0 = sum00;
    var sum1 = sum01;
    sum0 = select(sum0, sum10, i == 1u);
    sum1 = select(sum1, sum11, i == 1u);
    sum0 = select(sum0, sum20, i == 2u);
    sum1 = select(sum1, sum21, i == 2u);
    sum0 = select(sum0, sum30, i == 3u);
    sum1 = select(sum1, sum31, i == 3u);
    sum0 = select(sum0, sum40, i == 4u);
    sum1 = select(sum1, sum41, i == 4u);
    sum0 = select(sum0, sum50, i == 5u);
    sum1 = select(sum1, sum51, i == 5u);
    sum0 = select(sum0, sum60, i == 6u);
    sum1 = select(sum1, sum61, i == 6u);
    sum0 = select(sum0, sum70, i == 7u);
    sum1 = select(sum1, sum71, i == 7u);
    for (var j = 0u; j < sizes.blockColumns; j += 4u) {
      let sum = select(sum0, sum1, j == 4u);
      storeQuad(rows, m + i, n + j, group.z, sum, select(offset0, offset1, j == 4u));
    }
  }
}
