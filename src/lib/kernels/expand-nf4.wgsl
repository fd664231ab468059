// NF4 to f32: each code's value times the magnitude of its block of 64. One invocation a word, which is 8 codes.
// packed: (ceil(count / 8)), the first of two codes in a byte's high nibble   absmax: (ceil(count / 64))
// out: (count), overwritten
struct Sizes {
  // Bits of the sixteen values.
  codes: array<vec4<u32>, 4>,
  words: u32,
  // Packs of out.
  packs: u32,
}

@group(0) @binding(0) var<storage, read> packed: array<u32>;
@group(0) @binding(1) var<storage, read> absmax: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<Pack>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

fn valueOf(nibble: u32) -> f32 {
  let code = nibble & 15u;
  return bitcast<f32>(sizes.codes[code >> 2u][code & 3u]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= sizes.words) { return; }
  let word = packed[i];
  let scale = absmax[i >> 3u];
  for (var p = 0u; p < 8u / PACK; p++) {
    let index = i * (8u / PACK) + p;
    if (index < sizes.packs) { out[index] = packOf(word, p) * scale; }
  }
}
