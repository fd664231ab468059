// Matrix product from registers: one invocation computes 4 by 4 of `out`, no workgroup memory.
// For adapters that run on a CPU, where workgroup memory is ordinary memory and a barrier costs.
// Loads are single elements with strides: such adapters gather anyway, so any layout is equally fast.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

fn aRow(row: u32, k: u32, end: u32) -> vec4<f32> {
  let last = sizes.K - 1u;
  let start = sizes.aOffset + row * sizes.aRowStride;
  return vec4<f32>(
    a[start + min(k, last) * sizes.aColumnStride],
    select(0.0, a[start + min(k + 1u, last) * sizes.aColumnStride], k + 1u < end),
    select(0.0, a[start + min(k + 2u, last) * sizes.aColumnStride], k + 2u < end),
    select(0.0, a[start + min(k + 3u, last) * sizes.aColumnStride], k + 3u < end),
  );
}

fn addProduct(sum: vec4<f32>, x: vec4<f32>, block: mat4x4<f32>) -> vec4<f32> {
  let s0 = fma(vec4<f32>(x.x), block[0], sum);
  let s1 = fma(vec4<f32>(x.y), block[1], s0);
  let s2 = fma(vec4<f32>(x.z), block[2], s1);
  return fma(vec4<f32>(x.w), block[3], s2);
}

@compute @workgroup_size(8, 8)
fn main(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(workgroup_id) group: vec3<u32>,
) {
  let rows = liveRows();
  let m = id.y * 4u;
  let n = id.x * 4u;
  if (m >= rows || n >= sizes.N) {
    return;
  }
  let columns = min(n + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.N - 1u)) * sizes.bColumnStride;
  let m1 = min(m + 1u, rows - 1u);
  let m2 = min(m + 2u, rows - 1u);
  let m3 = min(m + 3u, rows - 1u);
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k += 4u) {
    let block = bBlock(
      min(k + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.K - 1u)) * sizes.bRowStride,
      columns,
    );
    sum0 = addProduct(sum0, aRow(m, k, end), block);
    sum1 = addProduct(sum1, aRow(m1, k, end), block);
    sum2 = addProduct(sum2, aRow(m2, k, end), block);
    sum3 = addProduct(sum3, aRow(m3, k, end), block);
  }
  // Bounds that a compiler cannot see keep this one store in the program instead of sixteen.
  let rowCount = min(4u, rows - m);
  let columnCount = min(4u, sizes.N - n);
  for (var i = 0u; i < rowCount; i++) {
    var sum = sum0;
    sum = select(sum, sum1, i == 1u);
    sum = select(sum, sum2, i == 2u);
    sum = select(sum, sum3, i == 3u);
    for (var j = 0u; j < columnCount; j++) {
      store(m + i, n + j, group.z, select(select(sum.x, sum.y, j == 1u), select(sum.z, sum.w, j == 3u), j >= 2u));
    }
  }
}
