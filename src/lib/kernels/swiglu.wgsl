// SwiGLU: silu(gate) * up, silu(g) = g * sigmoid(g). One thread a Pack.
// gate, up, out, dOut, dGate, dUp: (N, F)
// All results are overwritten.
struct Sizes {
  packs: u32,
}

// The bound keeps exp finite; beyond it the sigmoid is 0 or 1 to the last bit that matters.
fn sigmoid(g: Pack) -> Pack {
  return 1.0 / (1.0 + exp(-clamp(g, Pack(-80.0), Pack(80.0))));
}

@group(0) @binding(0) var<storage, read> gate: array<Pack>;
@group(0) @binding(1) var<storage, read> up: array<Pack>;
@group(0) @binding(2) var<storage, read_write> out: array<Pack>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < sizes.packs) { out[i] = gate[i] * sigmoid(gate[i]) * up[i]; }
}

@group(0) @binding(2) var<storage, read> dOut: array<Pack>;
@group(0) @binding(3) var<storage, read_write> dGate: array<Pack>;
@group(0) @binding(4) var<storage, read_write> dUp: array<Pack>;
@group(0) @binding(5) var<uniform> gradientSizes: Sizes;

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= gradientSizes.packs) { return; }
  let g = gate[i];
  let s = sigmoid(g);
  let d = dOut[i];
  dGate[i] = d * up[i] * s * (1.0 + g * (1.0 - s));
  dUp[i] = d * g * s;
}
