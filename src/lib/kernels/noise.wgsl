// Uniform noise as a pure function of (seed, element): scale * u, u in [-1, 1). One thread four elements.
// step: StepState   out: any shape
// out is overwritten.
struct Sizes {
  count: u32,
}

@group(0) @binding(0) var<storage, read> step: StepState;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let block = (group.y * groups.x + group.x) * 64u + lane;
  if (block * 4u >= sizes.count) { return; }
  let random = pcg4d(vec4<u32>(block, 0u, step.dropoutSeed, DOMAIN));
  // 24 bits, exact in f32.
  let unit = vec4<f32>(random >> vec4<u32>(8u)) * 0x1p-23 - 1.0;
  for (var i = 0u; i < 4u; i++) {
    let index = block * 4u + i;
    if (index < sizes.count) { out[index] = step.noiseScale * unit[i]; }
  }
}
