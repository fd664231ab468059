// Matrix product in one subgroup of 8 lanes: 32 by 32 of `out` a workgroup, no workgroup memory.
// Each lane loads four rows of `a` and four columns of `b` a step of k; elements of `a` go round by broadcast.
// For CPU adapters with subgroups (lavapipe): they gather lane by lane, so that a load costs as much as ten
// multiplications, and this shape loads least. A workgroup is exactly one subgroup.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let rows = liveRows();
  let m = group.y * 32u;
  let n = group.x * 32u + lane * 4u;
  if (m >= rows) {
    return;
  }
  let columns = min(n + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.N - 1u)) * sizes.bColumnStride;
  let row0 = sizes.aOffset + min(m + 0u + lane, rows - 1u) * sizes.aRowStride;
  let row1 = sizes.aOffset + min(m + 8u + lane, rows - 1u) * sizes.aRowStride;
  let row2 = sizes.aOffset + min(m + 16u + lane, rows - 1u) * sizes.aRowStride;
  let row3 = sizes.aOffset + min(m + 24u + lane, rows - 1u) * sizes.aRowStride;
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
  var sum16 = vec4<f32>();
  var sum17 = vec4<f32>();
  var sum18 = vec4<f32>();
  var sum19 = vec4<f32>();
  var sum20 = vec4<f32>();
  var sum21 = vec4<f32>();
  var sum22 = vec4<f32>();
  var sum23 = vec4<f32>();
  var sum24 = vec4<f32>();
  var sum25 = vec4<f32>();
  var sum26 = vec4<f32>();
  var sum27 = vec4<f32>();
  var sum28 = vec4<f32>();
  var sum29 = vec4<f32>();
  var sum30 = vec4<f32>();
  var sum31 = vec4<f32>();
  let end = min(sizes.K, (group.z + 1u) * sizes.splitLength);
  for (var k = group.z * sizes.splitLength; k < end; k++) {
    let right = weightQuad(k * sizes.bRowStride + columns);
    let left = k * sizes.aColumnStride;
    let a0 = a[row0 + left];
    let a1 = a[row1 + left];
    let a2 = a[row2 + left];
    let a3 = a[row3 + left];
    sum0 = fma(vec4<f32>(subgroupBroadcast(a0, 0u)), right, sum0);
    sum1 = fma(vec4<f32>(subgroupBroadcast(a0, 1u)), right, sum1);
    sum2 = fma(vec4<f32>(subgroupBroadcast(a0, 2u)), right, sum2);
    sum3 = fma(vec4<f32>(subgroupBroadcast(a0, 3u)), right, sum3);
    sum4 = fma(vec4<f32>(subgroupBroadcast(a0, 4u)), right, sum4);
    sum5 = fma(vec4<f32>(subgroupBroadcast(a0, 5u)), right, sum5);
    sum6 = fma(vec4<f32>(subgroupBroadcast(a0, 6u)), right, sum6);
    sum7 = fma(vec4<f32>(subgroupBroadcast(a0, 7u)), right, sum7);
    sum8 = fma(vec4<f32>(subgroupBroadcast(a1, 0u)), right, sum8);
    sum9 = fma(vec4<f32>(subgroupBroadcast(a1, 1u)), right, sum9);
    sum10 = fma(vec4<f32>(subgroupBroadcast(a1, 2u)), right, sum10);
    sum11 = fma(vec4<f32>(subgroupBroadcast(a1, 3u)), right, sum11);
    sum12 = fma(vec4<f32>(subgroupBroadcast(a1, 4u)), right, sum12);
    sum13 = fma(vec4<f32>(subgroupBroadcast(a1, 5u)), right, sum13);
    sum14 = fma(vec4<f32>(subgroupBroadcast(a1, 6u)), right, sum14);
    sum15 = fma(vec4<f32>(subgroupBroadcast(a1, 7u)), right, sum15);
    sum16 = fma(vec4<f32>(subgroupBroadcast(a2, 0u)), right, sum16);
    sum17 = fma(vec4<f32>(subgroupBroadcast(a2, 1u)), right, sum17);
    sum18 = fma(vec4<f32>(subgroupBroadcast(a2, 2u)), right, sum18);
    sum19 = fma(vec4<f32>(subgroupBroadcast(a2, 3u)), right, sum19);
    sum20 = fma(vec4<f32>(subgroupBroadcast(a2, 4u)), right, sum20);
    sum21 = fma(vec4<f32>(subgroupBroadcast(a2, 5u)), right, sum21);
    sum22 = fma(vec4<f32>(subgroupBroadcast(a2, 6u)), right, sum22);
    sum23 = fma(vec4<f32>(subgroupBroadcast(a2, 7u)), right, sum23);
    sum24 = fma(vec4<f32>(subgroupBroadcast(a3, 0u)), right, sum24);
    sum25 = fma(vec4<f32>(subgroupBroadcast(a3, 1u)), right, sum25);
    sum26 = fma(vec4<f32>(subgroupBroadcast(a3, 2u)), right, sum26);
    sum27 = fma(vec4<f32>(subgroupBroadcast(a3, 3u)), right, sum27);
    sum28 = fma(vec4<f32>(subgroupBroadcast(a3, 4u)), right, sum28);
    sum29 = fma(vec4<f32>(subgroupBroadcast(a3, 5u)), right, sum29);
    sum30 = fma(vec4<f32>(subgroupBroadcast(a3, 6u)), right, sum30);
    sum31 = fma(vec4<f32>(subgroupBroadcast(a3, 7u)), right, sum31);
  }
  let offset = biasQuad(n);
  // In two levels, to choose among 8 sums rather than 32 for each row.
  for (var octet = 0u; octet < sizes.blockRows; octet += 8u) {
    var octet0 = sum0;
    octet0 = select(octet0, sum8, octet == 8u);
    octet0 = select(octet0, sum16, octet == 16u);
    octet0 = select(octet0, sum24, octet == 24u);
    var octet1 = sum1;
    octet1 = select(octet1, sum9, octet == 8u);
    octet1 = select(octet1, sum17, octet == 16u);
    octet1 = select(octet1, sum25, octet == 24u);
    var octet2 = sum2;
    octet2 = select(octet2, sum10, octet == 8u);
    octet2 = select(octet2, sum18, octet == 16u);
    octet2 = select(octet2, sum26, octet == 24u);
    var octet3 = sum3;
    octet3 = select(octet3, sum11, octet == 8u);
    octet3 = select(octet3, sum19, octet == 16u);
    octet3 = select(octet3, sum27, octet == 24u);
    var octet4 = sum4;
    octet4 = select(octet4, sum12, octet == 8u);
    octet4 = select(octet4, sum20, octet == 16u);
    octet4 = select(octet4, sum28, octet == 24u);
    var octet5 = sum5;
    octet5 = select(octet5, sum13, octet == 8u);
    octet5 = select(octet5, sum21, octet == 16u);
    octet5 = select(octet5, sum29, octet == 24u);
    var octet6 = sum6;
    octet6 = select(octet6, sum14, octet == 8u);
    octet6 = select(octet6, sum22, octet == 16u);
    octet6 = select(octet6, sum30, octet == 24u);
    var octet7 = sum7;
    octet7 = select(octet7, sum15, octet == 8u);
    octet7 = select(octet7, sum23, octet == 16u);
    octet7 = select(octet7, sum31, octet == 24u);
    for (var i = 0u; i < sizes.octetRows; i++) {
      var sum = octet0;
      sum = select(sum, octet1, i == 1u);
      sum = select(sum, octet2, i == 2u);
      sum = select(sum, octet3, i == 3u);
      sum = select(sum, octet4, i == 4u);
      sum = select(sum, octet5, i == 5u);
      sum = select(sum, octet6, i == 6u);
      sum = select(sum, octet7, i == 7u);
      storeQuad(rows, m + octet + i, n, group.z, sum, offset);
    }
  }
}
