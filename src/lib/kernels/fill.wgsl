// Fills a tensor with one 32-bit word. One thread a PackBits.
// out: any shape, overwritten
struct Sizes {
  packs: u32,
  bits: u32,
}

@group(0) @binding(0) var<storage, read_write> out: array<PackBits>;
@group(0) @binding(1) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < sizes.packs) { out[i] = PackBits(sizes.bits); }
}
