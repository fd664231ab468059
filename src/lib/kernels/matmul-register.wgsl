// Matrix product from registers: one invocation computes 8 by 8 of `out`, no workgroup memory.
// For adapters that run on a CPU, where workgroup memory is ordinary memory and a barrier costs.
// Loads are single elements with strides: such adapters gather anyway, so any layout is equally fast.
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
  let quad = vec4<u32>(0u, 1u, 2u, 3u);
  let columns0 = min(n + quad, vec4<u32>(sizes.N - 1u)) * sizes.bColumnStride;
  let columns1 = min(n + 4u + quad, vec4<u32>(sizes.N - 1u)) * sizes.bColumnStride;
  let rows0 = sizes.aOffset + min(m + quad, vec4<u32>(rows - 1u)) * sizes.aRowStride;
  let rows1 = sizes.aOffset + min(m + 4u + quad, vec4<u32>(rows - 1u)) * sizes.aRowStride;
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
  for (var k = group.z * sizes.splitLength; k < end; k++) {
    let right0 = weightQuad(k * sizes.bRowStride + columns0);
    let right1 = weightQuad(k * sizes.bRowStride + columns1);
    let left0 = k * sizes.aColumnStride + rows0;
    let left1 = k * sizes.aColumnStride + rows1;
    let a0 = vec4<f32>(a[left0.x]);
    sum00 = fma(a0, right0, sum00);
    sum01 = fma(a0, right1, sum01);
    let a1 = vec4<f32>(a[left0.y]);
    sum10 = fma(a1, right0, sum10);
    sum11 = fma(a1, right1, sum11);
    let a2 = vec4<f32>(a[left0.z]);
    sum20 = fma(a2, right0, sum20);
    sum21 = fma(a2, right1, sum21);
    let a3 = vec4<f32>(a[left0.w]);
    sum30 = fma(a3, right0, sum30);
    sum31 = fma(a3, right1, sum31);
    let a4 = vec4<f32>(a[left1.x]);
    sum40 = fma(a4, right0, sum40);
    sum41 = fma(a4, right1, sum41);
    let a5 = vec4<f32>(a[left1.y]);
    sum50 = fma(a5, right0, sum50);
    sum51 = fma(a5, right1, sum51);
    let a6 = vec4<f32>(a[left1.z]);
    sum60 = fma(a6, right0, sum60);
    sum61 = fma(a6, right1, sum61);
    let a7 = vec4<f32>(a[left1.w]);
    sum70 = fma(a7, right0, sum70);
    sum71 = fma(a7, right1, sum71);
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
