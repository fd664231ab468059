// Gradient of RMSNorm's weight in two passes: sums over slices of rows, then over slices, both in order.
// x, dOut: (N, C)   rstd: (N)   slices: (S, C)   dWeight: (C)
// slices is overwritten; dWeight accumulates.
override C: u32;

struct Sizes {
  N: u32,
  rowsPerSlice: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dOut: array<f32>;
@group(0) @binding(2) var<storage, read> rstd: array<f32>;
@group(0) @binding(3) var<storage, read_write> slices: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn sumRows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let c = group.x * 64u + lane;
  if (c >= C) { return; }
  let first = group.y * sizes.rowsPerSlice;
  let end = min(sizes.N, first + sizes.rowsPerSlice);
  var sum = 0.0;
  for (var row = first; row < end; row++) { sum += dOut[row * C + c] * x[row * C + c] * rstd[row]; }
  slices[group.y * C + c] = sum;
}

struct SliceCount {
  S: u32,
}

@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> dWeight: array<f32>;
@group(0) @binding(2) var<uniform> count: SliceCount;

@compute @workgroup_size(64)
fn sumSlices(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let c = group.x * 64u + lane;
  if (c >= C) { return; }
  var sum = 0.0;
  for (var s = 0u; s < count.S; s++) { sum += sums[s * C + c]; }
  dWeight[c] += sum;
}
