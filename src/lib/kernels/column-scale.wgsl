// Columns times factors of their own. One thread an element.
// x, out: (N, C)   factors, bias: (C)
// out = x * (factors + shift) + bias, or out += that.
struct Sizes {
  elements: u32,
  C: u32,
  // Bits of an f32.
  shift: u32,
  hasBias: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= sizes.elements) { return; }
  let c = i % sizes.C;
  var value = x[i] * (factors[c] + bitcast<f32>(sizes.shift));
  if (sizes.hasBias == 1u) { value += bias[c]; }
  if (sizes.accumulate == 1u) { value += out[i]; }
  out[i] = value;
}
