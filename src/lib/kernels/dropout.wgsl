// Inverted dropout with a mask that is a pure function of (seed, site, element). One thread four elements.
// x, out: any equal shape   step: StepState
// out is overwritten, or added to where ACCUMULATE.
override ACCUMULATE: bool;

struct Sizes {
  count: u32,
  site: u32,
  // An element is kept where its random word is at least this: probability * 2^32.
  threshold: u32,
  // Bits of 1 / (1 - probability).
  scale: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> step: StepState;
@group(0) @binding(2) var<storage, read_write> out: array<Pack>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let block = (group.y * groups.x + group.x) * 64u + lane;
  if (block * 4u >= sizes.count) { return; }
  let random = pcg4d(vec4<u32>(block, sizes.site, step.dropoutSeed, DOMAIN));
  let mask = select(vec4<f32>(0.0), vec4<f32>(bitcast<f32>(sizes.scale)), random >= vec4<u32>(sizes.threshold));
  for (var i = 0u; i < 4u / PACK; i++) {
    let index = block * (4u / PACK) + i;
    if (index * PACK < sizes.count) {
      var value = x[index] * maskPack(mask, i);
      if (ACCUMULATE) { value += out[index]; }
      out[index] = value;
    }
  }
}
