// As matmul-subgroup.wgsl with 8 by 32 of `out` a workgroup: for products of few rows, such as LoRA's.

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let rows = liveRows();
  let m = group.y * 8u;
  let n = group.x * 32u + lane * 4u;
  if (m >= rows) {
    return;
  }
  let columns = min(n + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.N - 1u)) * sizes.bColumnStride;
  let row0 = sizes.aOffset + min(m + lane, rows - 1u) * sizes.aRowStride;
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  var sum4 = vec4<f32>();
  var sum5 = vec4<f32>();
  var sum6 = vec4<f32>();
  var sum7 = vec4<f32>();
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k++) {
    let right = weightQuad(k * sizes.bRowStride + columns);
    let left = k * sizes.aColumnStride;
    let a0 = a[row0 + left];
    sum0 = fma(vec4<f32>(subgroupBroadcast(a0, 0u)), right, sum0);
    sum1 = fma(vec4<f32>(subgroupBroadcast(a0, 1u)), right, sum1);
    sum2 = fma(vec4<f32>(subgroupBroadcast(a0, 2u)), right, sum2);
    sum3 = fma(vec4<f32>(subgroupBroadcast(a0, 3u)), right, sum3);
    sum4 = fma(vec4<f32>(subgroupBroadcast(a0, 4u)), right, sum4);
    sum5 = fma(vec4<f32>(subgroupBroadcast(a0, 5u)), right, sum5);
    sum6 = fma(vec4<f32>(subgroupBroadcast(a0, 6u)), right, sum6);
    sum7 = fma(vec4<f32>(subgroupBroadcast(a0, 7u)), right, sum7);
  }
  let offset = biasQuad(n);
  for (var i = 0u; i < sizes.blockRows; i++) {
    var sum = sum0;
    sum = select(sum, sum1, i == 1u);
    sum = select(sum, sum2, i == 2u);
    sum = select(sum, sum3, i == 3u);
    sum = select(sum, sum4, i == 4u);
    sum = select(sum, sum5, i == 5u);
    sum = select(sum, sum6, i == 6u);
    sum = select(sum, sum7, i == 7u);
    storeQuad(rows, m + i, n, group.z, sum, offset);
  }
}
