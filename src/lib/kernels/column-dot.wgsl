// Dot products of two matrices, column by column: the gradient of factors on columns. A workgroup takes 16
// columns, 16 invocations a column: invocation y takes rows y, y + 16, ...; then a fixed tree adds the sixteen.
// a, b: (N, C)   factors, into: (C)
// into += factors * sum over rows of a * b; factors count as 1 where hasFactors is 0.
struct Sizes {
  rows: u32,
  columns: u32,
  // 8: a bound that the compiler is not to see, or it unrolls the barriers.
  halfGroup: u32,
  hasFactors: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> factors: array<f32>;
@group(0) @binding(3) var<storage, read_write> into: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>,
        @builtin(local_invocation_index) thread: u32) {
  let column = group.x * 16u + local.x;
  var sum = 0.0;
  if (column < sizes.columns) {
    for (var row = local.y; row < sizes.rows; row += 16u) {
      let at = row * sizes.columns + column;
      sum += a[at] * b[at];
    }
  }
  sums[thread] = sum;
  for (var width = sizes.halfGroup; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (local.y < width) { sums[thread] += sums[thread + width * 16u]; }
  }
  if (local.y == 0u && column < sizes.columns) {
    let factor = select(1.0, factors[min(column, sizes.columns - 1u)], sizes.hasFactors == 1u);
    into[column] += factor * sums[thread];
  }
}
