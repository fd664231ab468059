// What every matmul variant binds: out = alpha * a @ b [+ bias] [+ out], a (M, K), b (K, N), out (M, N). Binding 4,
// `out`, is in the store texts.
// Strides are in elements, so that a transposed matrix is the same matrix with its strides swapped.
// Where K is split, workgroup z sums its part and writes it to plane z of `out`; matmul-reduce.wgsl adds the
// planes in order.
//
// CPU adapters run both sides of an `if` but skip a loop of no turns, and every load or store that a compiler
// unrolls costs them 10 ms of compilation. So options and the loops of the last step are counts in the
// uniforms: nothing is unrolled, and what is not asked for costs nothing.
struct MatmulSizes {
  M: u32,
  N: u32,
  K: u32,
  aRowStride: u32,
  aColumnStride: u32,
  bRowStride: u32,
  bColumnStride: u32,
  outRowStride: u32,
  outColumnStride: u32,
  planeStride: u32,
  // First element of `a` and of `out`.
  aOffset: u32,
  outOffset: u32,
  // Length of K that one workgroup sums.
  splitLength: u32,
  // Bits of an f32.
  alpha: u32,
  // 4 with a bias, else 0.
  biasColumns: u32,
  // 1 to add to `out`, else 0.
  accumulateTimes: u32,
  // 1 to skip the rows at and after liveCount[limitWord] - limitOffset, else 0.
  limited: u32,
  limitWord: u32,
  limitOffset: u32,
  // Rows and columns that one invocation stores.
  blockRows: u32,
  blockColumns: u32,
  // 4.
  quadColumns: u32,
  // Invocations of a workgroup that lie side by side along a row of out (matmul-register.wgsl).
  threadsX: u32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<WeightWord>;
@group(0) @binding(2) var<storage, read> bias: array<BiasWord>;
@group(0) @binding(3) var<storage, read> liveCount: array<u32>;
@group(0) @binding(5) var<uniform> sizes: MatmulSizes;

fn liveRows() -> u32 {
  if (sizes.limited == 0u) {
    return sizes.M;
  }
  let count = liveCount[sizes.limitWord];
  return min(sizes.M, count - min(count, sizes.limitOffset));
}

// Four steps of k. left: one row of a at each; column q of right: four columns of b at step q.
fn addFour(before: vec4<f32>, left: vec4<f32>, right: mat4x4<f32>) -> vec4<f32> {
  var sum = fma(vec4<f32>(left.x), right[0], before);
  sum = fma(vec4<f32>(left.y), right[1], sum);
  sum = fma(vec4<f32>(left.z), right[2], sum);
  return fma(vec4<f32>(left.w), right[3], sum);
}

// Elements at four places of b.
fn weightQuad(index: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(
    weightValue(b[weightPlace(index.x)], index.x),
    weightValue(b[weightPlace(index.y)], index.y),
    weightValue(b[weightPlace(index.z)], index.z),
    weightValue(b[weightPlace(index.w)], index.w),
  );
}

fn biasQuad(column: u32) -> vec4<f32> {
  var quad = vec4<f32>();
  for (var j = 0u; j < sizes.biasColumns; j++) {
    let index = min(column + j, sizes.N - 1u);
    quad[j] = biasValue(bias[biasPlace(index)], index);
  }
  return quad;
}
