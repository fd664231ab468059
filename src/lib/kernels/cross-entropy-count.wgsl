// total += sum of correct, by one workgroup; whole numbers add up to the same in any order.
// correct: (N)   total: (1)
struct Sizes {
  N: u32,
}

@group(0) @binding(0) var<storage, read> correct: array<u32>;
@group(0) @binding(1) var<storage, read_write> total: atomic<u32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
  var count = 0u;
  for (var i = thread; i < sizes.N; i += 64u) {
    count += correct[i];
  }
  atomicAdd(&total, count);
}
