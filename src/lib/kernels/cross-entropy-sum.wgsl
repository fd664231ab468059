// total += sum of loss, by one workgroup: invocation i adds entries i, i + 64, ...; then a fixed tree.
// loss: (N)   total: (1)
struct Sizes {
  N: u32,
  // 32: a bound that the compiler is not to see, or it unrolls the barriers.
  halfThreads: u32,
}

@group(0) @binding(0) var<storage, read> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> total: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  for (var i = thread; i < sizes.N; i += 64u) {
    sum += loss[i];
  }
  sums[thread] = sum;
  for (var width = sizes.halfThreads; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (thread < width) {
      sums[thread] += sums[thread + width];
    }
  }
  if (thread == 0u) {
    total[0] += sums[0];
  }
}
