// DoRA's row norms: of W + scale B A, without that matrix. One workgroup a row, sums in f32.
// weight: (out, in)   a: (R, in)   b: (out, R)   magnitude, factor, inverseNorm: (out)
// factor = magnitude / norm and inverseNorm = 1 / norm are overwritten; both are 0 for a row of zeros.
struct Sizes {
  rows: u32,
  inFeatures: u32,
  rank: u32,
  // Bits of an f32.
  scale: u32,
  // 32: a bound that the compiler is not to see, or it unrolls the barriers.
  halfGroup: u32,
}

@group(0) @binding(0) var<storage, read> weight: array<WeightWord>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> magnitude: array<f32>;
@group(0) @binding(4) var<storage, read_write> factor: array<f32>;
@group(0) @binding(5) var<storage, read_write> inverseNorm: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  let known = min(row, sizes.rows - 1u);
  var sum = 0.0;
  for (var i = lane; i < sizes.inFeatures; i += 64u) {
    var low = 0.0;
    for (var r = 0u; r < sizes.rank; r++) {
      low += b[known * sizes.rank + r] * a[r * sizes.inFeatures + i];
    }
    let index = known * sizes.inFeatures + i;
    let value = weightValue(weight[weightPlace(index)], index) + bitcast<f32>(sizes.scale) * low;
    sum += value * value;
  }
  sums[lane] = sum;
  for (var width = sizes.halfGroup; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (lane < width) { sums[lane] += sums[lane + width]; }
  }
  if (lane == 0u && row < sizes.rows) {
    var inverse = 0.0;
    if (sums[0] != 0.0) { inverse = 1.0 / sqrt(sums[0]); }
    inverseNorm[row] = inverse;
    factor[row] = magnitude[row] * inverse;
  }
}
