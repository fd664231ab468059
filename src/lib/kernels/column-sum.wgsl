// Column sums: the gradient of a bias. A workgroup adds 16 columns, 16 invocations a column:
// invocation y adds rows y, y + 16, ...; then the sixteen sums are added in a fixed tree.
// dOut: (N, out)   dBias: (out), accumulates.
struct Sizes {
  rows: u32,
  columns: u32,
  // 8: a bound that the compiler is not to see, or it unrolls the barriers.
  halfGroup: u32,
}

@group(0) @binding(0) var<storage, read> dOut: array<f32>;
@group(0) @binding(1) var<storage, read_write> dBias: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(16, 16)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let column = group.x * 16u + local.x;
  var sum = 0.0;
  if (column < sizes.columns) {
    for (var row = local.y; row < sizes.rows; row += 16u) {
      sum += dOut[row * sizes.columns + column];
    }
  }
  sums[thread] = sum;
  for (var width = sizes.halfGroup; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (local.y < width) {
      sums[thread] += sums[thread + width * 16u];
    }
  }
  if (local.y == 0u && column < sizes.columns) {
    dBias[column] += sums[thread];
  }
}
