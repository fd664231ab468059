// dHidden = 0: rows without a target have no gradient.
// dHidden: (N, C), one workgroup a row.
struct Sizes {
  N: u32,
  C: u32,
}

@group(0) @binding(0) var<storage, read_write> dHidden: array<f32>;
@group(0) @binding(1) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  for (var c = thread; c < sizes.C; c += 64u) {
    dHidden[group.x * sizes.C + c] = 0.0;
  }
}
