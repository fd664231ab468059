// What every matmul variant binds: out = alpha * a @ b [+ bias] [+ out], a (M, K), b (K, N), out (M, N).
// Strides are in elements, so that a transposed matrix is the same matrix with its strides swapped.
// With splits, workgroup z sums its part of K and writes the bare sum to plane z of `out`;
// matmul-reduce.wgsl adds the planes in order.
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
  // First element of `a` and of `out`.
  aOffset: u32,
  outOffset: u32,
  // Bits of an f32.
  alpha: u32,
  // Sum of the FLAG_ values.
  flags: u32,
  // Length of K that one workgroup sums.
  splitLength: u32,
  // With FLAG_LIMIT: rows at and after liveCount[limitWord] - limitOffset are skipped.
  limitWord: u32,
  limitOffset: u32,
  // Rows and columns that one invocation stores. A compiler would unroll a loop to a number that it can see,
  // and on a CPU adapter every store in the program costs 10 ms of compilation.
  blockRows: u32,
  blockColumns: u32,
  // 8 and 4, for the same reason.
  octetRows: u32,
  quadColumns: u32,
}

const FLAG_BIAS = 1u;
const FLAG_ACCUMULATE = 2u;
const FLAG_LIMIT = 4u;
const FLAG_SPLIT = 8u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<WeightWord>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> liveCount: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<uniform> sizes: MatmulSizes;

fn liveRows() -> u32 {
  if ((sizes.flags & FLAG_LIMIT) == 0u) {
    return sizes.M;
  }
  let count = liveCount[sizes.limitWord];
  return min(sizes.M, count - min(count, sizes.limitOffset));
}

// Stores the part of sum that lies inside the matrix.
fn storeQuad(rows: u32, row: u32, column: u32, split: u32, sum: vec4<f32>) {
  if (row >= rows) {
    return;
  }
  for (var j = 0u; j < sizes.quadColumns; j++) {
    if (column + j < sizes.N) {
      store(row, column + j, split, select(select(sum.x, sum.y, j == 1u), select(sum.z, sum.w, j == 3u), j >= 2u));
    }
  }
}

fn store(row: u32, column: u32, split: u32, sum: f32) {
  if ((sizes.flags & FLAG_SPLIT) != 0u) {
    out[(split * sizes.M + row) * sizes.N + column] = sum;
    return;
  }
  let index = sizes.outOffset + row * sizes.outRowStride + column * sizes.outColumnStride;
  var value = bitcast<f32>(sizes.alpha) * sum;
  if ((sizes.flags & FLAG_BIAS) != 0u) {
    value += bias[column];
  }
  if ((sizes.flags & FLAG_ACCUMULATE) != 0u) {
    value += out[index];
  }
  out[index] = value;
}

fn weightQuad(index: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(
    weightElement(index.x),
    weightElement(index.y),
    weightElement(index.z),
    weightElement(index.w),
  );
}
