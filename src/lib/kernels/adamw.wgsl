// AdamW as torch.optim.AdamW, with clipping by the global norm. One thread a Pack.
// params, grads: (P)   m, v: (P), or fewer from a Pack of their own   norm: (1)   step: StepState
// params, m and v are updated.
struct Sizes {
  // Packs of this parameter group: the first and how many.
  first: u32,
  packs: u32,
  // Pack of m and v that belongs to the first.
  firstMoment: u32,
  // 0: decay before the step, as torch; 1: after it, as bitsandbytes.
  decaysLast: u32,
  // The rest are bits of f32. The complements come rounded from f64: 1 - beta2 in f32 would lose four digits.
  beta1Complement: u32,
  beta2: u32,
  beta2Complement: u32,
  epsilon: u32,
  weightDecay: u32,
  maxGradNorm: u32,
  learningRateScale: u32,
}

@group(0) @binding(0) var<storage, read> grads: array<Pack>;
@group(0) @binding(1) var<storage, read> norm: array<f32>;
@group(0) @binding(2) var<storage, read> step: StepState;
@group(0) @binding(3) var<storage, read_write> params: array<Pack>;
@group(0) @binding(4) var<storage, read_write> m: array<Pack>;
@group(0) @binding(5) var<storage, read_write> v: array<Pack>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= sizes.packs) { return; }
  let at = sizes.first + i;
  let moment = sizes.firstMoment + i;
  let maxGradNorm = bitcast<f32>(sizes.maxGradNorm);
  var g = grads[at] * step.gradUnscale;
  if (maxGradNorm > 0.0) { g *= min(1.0, maxGradNorm / (norm[0] + 1e-6)); }
  let rate = step.learningRate * bitcast<f32>(sizes.learningRateScale);
  let kept = 1.0 - rate * bitcast<f32>(sizes.weightDecay);
  let decayed = params[at] * select(kept, 1.0, sizes.decaysLast == 1u);
  let newM = m[moment] + bitcast<f32>(sizes.beta1Complement) * (g - m[moment]);
  let newV = bitcast<f32>(sizes.beta2) * v[moment] + bitcast<f32>(sizes.beta2Complement) * g * g;
  let denominator = sqrt(newV) * step.biasCorrection2 + bitcast<f32>(sizes.epsilon);
  let moved = decayed - rate * step.biasCorrection1 * (newM / denominator);
  params[at] = moved * select(1.0, kept, sizes.decaysLast == 1u);
  m[moment] = newM;
  v[moment] = newV;
}
