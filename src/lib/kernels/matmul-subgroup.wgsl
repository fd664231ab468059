// Matrix product in one subgroup of 8 lanes: 16 by 32 of `out` a workgroup, no workgroup memory.
// Each lane loads two rows of `a` and four columns of `b`; rows of `a` go round by broadcast.
// For CPU adapters with subgroups (lavapipe): they gather lane by lane, so that a load costs as much as
// twenty multiplications, and this shape loads least. A workgroup is exactly one subgroup.
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

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let rows = liveRows();
  let m = group.y * 16u;
  let n = group.x * 32u + lane * 4u;
  if (m >= rows) {
    return;
  }
  let columns = min(n + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.N - 1u)) * sizes.bColumnStride;
  let low = min(m + lane, rows - 1u);
  let high = min(m + 8u + lane, rows - 1u);
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  var sum4 = vec4<f32>();
  var sum5 = vec4<f32>();
  var sum6 = vec4<f32>();
  var sum7 = vec4<f32>();
  var sum8 = vec4<f32>();
  var sum9 = vec4<f32>();
  var sum10 = vec4<f32>();
  var sum11 = vec4<f32>();
  var sum12 = vec4<f32>();
  var sum13 = vec4<f32>();
  var sum14 = vec4<f32>();
  var sum15 = vec4<f32>();
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k += 4u) {
    let block = bBlock(
      min(k + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.K - 1u)) * sizes.bRowStride,
      columns,
    );
    let aLow = aRow(low, k, end);
    let aHigh = aRow(high, k, end);
    sum0 = addProduct(sum0, subgroupBroadcast(aLow, 0u), block);
    sum1 = addProduct(sum1, subgroupBroadcast(aLow, 1u), block);
    sum2 = addProduct(sum2, subgroupBroadcast(aLow, 2u), block);
    sum3 = addProduct(sum3, subgroupBroadcast(aLow, 3u), block);
    sum4 = addProduct(sum4, subgroupBroadcast(aLow, 4u), block);
    sum5 = addProduct(sum5, subgroupBroadcast(aLow, 5u), block);
    sum6 = addProduct(sum6, subgroupBroadcast(aLow, 6u), block);
    sum7 = addProduct(sum7, subgroupBroadcast(aLow, 7u), block);
    sum8 = addProduct(sum8, subgroupBroadcast(aHigh, 0u), block);
    sum9 = addProduct(sum9, subgroupBroadcast(aHigh, 1u), block);
    sum10 = addProduct(sum10, subgroupBroadcast(aHigh, 2u), block);
    sum11 = addProduct(sum11, subgroupBroadcast(aHigh, 3u), block);
    sum12 = addProduct(sum12, subgroupBroadcast(aHigh, 4u), block);
    sum13 = addProduct(sum13, subgroupBroadcast(aHigh, 5u), block);
    sum14 = addProduct(sum14, subgroupBroadcast(aHigh, 6u), block);
    sum15 = addProduct(sum15, subgroupBroadcast(aHigh, 7u), block);
  }
  // Bounds that a compiler cannot see keep this one store in the program instead of sixty-four.
  let rowCount = min(16u, rows - m);
  let columnCount = min(4u, sizes.N - min(n, sizes.N));
  for (var i = 0u; i < rowCount; i++) {
    var sum = sum0;
    sum = select(sum, sum1, i == 1u);
    sum = select(sum, sum2, i == 2u);
    sum = select(sum, sum3, i == 3u);
    sum = select(sum, sum4, i == 4u);
    sum = select(sum, sum5, i == 5u);
    sum = select(sum, sum6, i == 6u);
    sum = select(sum, sum7, i == 7u);
    sum = select(sum, sum8, i == 8u);
    sum = select(sum, sum9, i == 9u);
    sum = select(sum, sum10, i == 10u);
    sum = select(sum, sum11, i == 11u);
    sum = select(sum, sum12, i == 12u);
    sum = select(sum, sum13, i == 13u);
    sum = select(sum, sum14, i == 14u);
    sum = select(sum, sum15, i == 15u);
    for (var j = 0u; j < columnCount; j++) {
      store(m + i, n + j, group.z, select(select(sum.x, sum.y, j == 1u), select(sum.z, sum.w, j == 3u), j >= 2u));
    }
  }
}
