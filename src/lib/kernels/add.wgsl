// Elementwise sum. One thread a Pack.
// a, b, out, addend, into: equal shapes
// out is overwritten; into accumulates.
struct Sizes {
  packs: u32,
}

@group(0) @binding(0) var<storage, read> a: array<Pack>;
@group(0) @binding(1) var<storage, read> b: array<Pack>;
@group(0) @binding(2) var<storage, read_write> out: array<Pack>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn add(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
       @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < sizes.packs) { out[i] = a[i] + b[i]; }
}

@group(0) @binding(0) var<storage, read> addend: array<Pack>;
@group(0) @binding(1) var<storage, read_write> into: array<Pack>;
@group(0) @binding(2) var<uniform> intoSizes: Sizes;

@compute @workgroup_size(64)
fn addInto(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < intoSizes.packs) { into[i] += addend[i]; }
}
