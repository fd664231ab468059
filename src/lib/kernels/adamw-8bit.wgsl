// AdamW with moments in 8 bits, in blocks of 256 with an absmax each, as bitsandbytes has it
// (csrc/kernels.cu, kOptimizerStatic8bit2StateBlockwise): a step in f32, then the weight decay, then the moments
// are written to the nearest codes. One workgroup a block.
// params, grads: (P)   norm: (1)   step: StepState   maps: (512), the signed one for m, then the unsigned one for v
// blocks: (S), first element and number of elements   codes: (2, S, 64), four a word   absmax: (2, S)
// params, codes and absmax are updated.
struct Sizes {
  // Blocks of this parameter group: the first and how many.
  first: u32,
  count: u32,
  // S
  blocks: u32,
  // The rest are bits of f32.
  beta1: u32,
  beta2: u32,
  epsilon: u32,
  weightDecay: u32,
  maxGradNorm: u32,
  learningRateScale: u32,
  // 32: a bound that the compiler is not to see, or it unrolls the barriers.
  halfLanes: u32,
}

@group(0) @binding(0) var<storage, read> grads: array<f32>;
@group(0) @binding(1) var<storage, read> norm: array<f32>;
@group(0) @binding(2) var<storage, read> step: StepState;
@group(0) @binding(3) var<storage, read> maps: array<f32>;
@group(0) @binding(4) var<storage, read> blocks: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> params: array<f32>;
@group(0) @binding(6) var<storage, read_write> codes: array<u32>;
@group(0) @binding(7) var<storage, read_write> absmax: array<f32>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

const LANES = 64u;
const CODES = 256u;
// Where the unsigned map begins.
const UNSIGNED = 256u;

var<workgroup> map: array<f32, 512>;
// Largest magnitude of m and of v.
var<workgroup> largest: array<vec2<f32>, LANES>;

// Index of the nearest code: how many midpoints lie below the value.
fn nearest(value: f32, first: u32) -> u32 {
  var low = 0u;
  var high = CODES - 1u;
  while (low < high) {
    let middle = (low + high) / 2u;
    let midpoint = (map[first + middle] + map[first + middle + 1u]) / 2.0;
    low = select(low, middle + 1u, value > midpoint);
    high = select(middle, high, value > midpoint);
  }
  return low;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let index = group.y * groups.x + group.x;
  if (index >= sizes.count) { return; }
  let block = sizes.first + index;
  for (var i = lane; i < 512u; i += LANES) { map[i] = maps[i]; }
  workgroupBarrier();

  let place = blocks[block];
  let own = 4u * lane;
  let count = min(4u, max(place.y, own) - own);
  let firstWord = block * LANES + lane;
  let secondWord = (sizes.blocks + block) * LANES + lane;
  let oldM = codes[firstWord];
  let oldV = codes[secondWord];
  let scaleM = absmax[block];
  let scaleV = absmax[sizes.blocks + block];

  let maxGradNorm = bitcast<f32>(sizes.maxGradNorm);
  var factor = step.gradUnscale;
  if (maxGradNorm > 0.0) { factor *= min(1.0, maxGradNorm / (norm[0] + 1e-6)); }
  let beta1 = bitcast<f32>(sizes.beta1);
  let beta2 = bitcast<f32>(sizes.beta2);
  let rate = step.learningRate * bitcast<f32>(sizes.learningRateScale);
  let correction2 = 1.0 / step.biasCorrection2;
  let stepSize = -rate * correction2 * step.biasCorrection1;
  let epsilon = correction2 * bitcast<f32>(sizes.epsilon);
  let kept = 1.0 - rate * bitcast<f32>(sizes.weightDecay);

  var m = vec4<f32>(0.0);
  var v = vec4<f32>(0.0);
  for (var i = 0u; i < count; i++) {
    let at = place.x + own + i;
    let g = grads[at] * factor;
    let mOld = map[(oldM >> (8u * i)) & 255u] * scaleM;
    let vOld = map[UNSIGNED + ((oldV >> (8u * i)) & 255u)] * scaleV;
    v[i] = vOld * beta2 + (1.0 - beta2) * g * g;
    m[i] = mOld * beta1 + (1.0 - beta1) * g;
    params[at] = (params[at] + stepSize * (m[i] / (sqrt(v[i]) + epsilon))) * kept;
  }

  let magnitudes = abs(m);
  largest[lane] = vec2<f32>(
    max(max(magnitudes.x, magnitudes.y), max(magnitudes.z, magnitudes.w)),
    max(max(v.x, v.y), max(v.z, v.w)),
  );
  for (var width = sizes.halfLanes; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (lane < width) { largest[lane] = max(largest[lane], largest[lane + width]); }
  }
  workgroupBarrier();
  let all = largest[0];
  var wordM = 0u;
  var wordV = 0u;
  for (var i = 0u; i < 4u; i++) {
    // A block of zeros keeps the code of zero.
    var code = nearest(select(0.0, m[i] / all.x, all.x > 0.0), 0u);
    // A negative value never becomes zero; a positive one may.
    if (m[i] < 0.0 && map[code] == 0.0) { code -= 1u; }
    wordM |= code << (8u * i);
    wordV |= nearest(select(0.0, v[i] / all.y, all.y > 0.0), UNSIGNED) << (8u * i);
  }
  codes[firstWord] = wordM;
  codes[secondWord] = wordV;
  if (lane == 0u) {
    absmax[block] = all.x;
    absmax[sizes.blocks + block] = all.y;
  }
}
