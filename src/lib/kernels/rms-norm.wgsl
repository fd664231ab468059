// RMSNorm, forward and backward. LANES threads a row, ROWS rows a workgroup; sums in f32. After this text: rowSum.
// x, out, dOut, dX: (N, C)   weight: (C)   rstd: (N), 1 / sqrt(mean(x^2) + EPSILON)
// out and rstd are overwritten; dX is overwritten, or added to where ACCUMULATE.
override C: u32;
override LANES: u32;
override ROWS: u32;
override EPSILON: f32;
override ACCUMULATE: bool = false;

struct Sizes {
  N: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> weight: array<WeightWord>;

@group(0) @binding(2) var<storage, read_write> out: array<Pack>;
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(LANES, ROWS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
           @builtin(local_invocation_id) lane: vec3<u32>) {
  let row = (group.y * groups.x + group.x) * ROWS + lane.y;
  // Rows past the end take part in the barrier on the last row's numbers and store nothing.
  let base = min(row, sizes.N - 1u) * (C / PACK);
  var squares = 0.0;
  for (var c = lane.x; c < C / PACK; c += LANES) {
    let v = x[base + c];
    squares += sumOf(v * v);
  }
  let scale = inverseSqrt(rowSum(squares, lane) / f32(C) + EPSILON);
  if (row >= sizes.N) { return; }
  if (lane.x == 0u) { rstd[row] = scale; }
  for (var c = lane.x; c < C / PACK; c += LANES) { out[base + c] = x[base + c] * scale * weightPack(c); }
}

@group(0) @binding(2) var<storage, read> rowRstd: array<f32>;
@group(0) @binding(3) var<storage, read> dOut: array<Pack>;
@group(0) @binding(4) var<storage, read_write> dX: array<Pack>;
@group(0) @binding(5) var<uniform> gradientSizes: Sizes;

// dX = rstd * (weight * dOut) - x * rstd^3 * mean(weight * dOut * x)
@compute @workgroup_size(LANES, ROWS)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_id) lane: vec3<u32>) {
  let N = gradientSizes.N;
  let row = (group.y * groups.x + group.x) * ROWS + lane.y;
  let base = min(row, N - 1u) * (C / PACK);
  var products = 0.0;
  for (var c = lane.x; c < C / PACK; c += LANES) {
    products += sumOf(weightPack(c) * dOut[base + c] * x[base + c]);
  }
  let sum = rowSum(products, lane);
  if (row >= N) { return; }
  let scale = rowRstd[row];
  let pull = scale * scale * scale * sum / f32(C);
  for (var c = lane.x; c < C / PACK; c += LANES) {
    var d = weightPack(c) * dOut[base + c] * scale - x[base + c] * pull;
    if (ACCUMULATE) { d += dX[base + c]; }
    dX[base + c] = d;
  }
}
