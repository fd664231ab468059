// L2 norm of a flat vector in two passes; sums of squares in f32, in an order that only P decides.
// grads: (P)   sums: (S)   norm: (1)   step: StepState
// sums and norm are overwritten.
struct Sizes {
  packs: u32,
}

const LANES = 64u;
var<workgroup> partial: array<f32, LANES>;

@group(0) @binding(0) var<storage, read> grads: array<Pack>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn sumSquares(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
              @builtin(local_invocation_index) lane: u32) {
  var mine = Pack(0.0);
  for (var i = group.x * LANES + lane; i < sizes.packs; i += groups.x * LANES) { mine += grads[i] * grads[i]; }
  partial[lane] = sumOf(mine);
  workgroupBarrier();
  if (lane == 0u) {
    var sum = 0.0;
    for (var i = 0u; i < LANES; i++) { sum += partial[i]; }
    sums[group.x] = sum;
  }
}

struct SumCount {
  S: u32,
}

@group(0) @binding(0) var<storage, read> squares: array<f32>;
@group(0) @binding(1) var<storage, read_write> norm: array<f32>;
@group(0) @binding(2) var<storage, read> step: StepState;
@group(0) @binding(3) var<uniform> count: SumCount;

@compute @workgroup_size(64)
fn rootOfSum(@builtin(local_invocation_index) lane: u32) {
  var mine = 0.0;
  for (var i = lane; i < count.S; i += LANES) { mine += squares[i]; }
  partial[lane] = mine;
  workgroupBarrier();
  if (lane == 0u) {
    var sum = 0.0;
    for (var i = 0u; i < LANES; i++) { sum += partial[i]; }
    norm[0] = sqrt(sum) * step.gradUnscale;
  }
}
