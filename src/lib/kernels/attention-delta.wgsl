// delta = sum over D of dOut * out, which the gradient of the softmax needs. One thread a row and head.
// dOut, out: (B * T, H * D)   delta: (B, H, T)
// delta is overwritten.
@group(0) @binding(0) var<storage, read> dOut: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> out: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= sizes.N * sizes.H) { return; }
  var sum = 0.0;
  for (var d = 0u; d < sizes.quads; d++) { sum += dot(dOut[i * sizes.quads + d], out[i * sizes.quads + d]); }
  let row = i / sizes.H;
  delta[(row / sizes.T * sizes.H + i % sizes.H) * sizes.T + row % sizes.T] = sum;
}
