// Matrix product through workgroup memory: for adapters that are real GPUs.
// A workgroup computes 8 * THREADS_Y rows by 4 * THREADS_X columns of `out`; an invocation 8 by 4.
// K goes through in tiles of 16, stored k-major so that the inner loop reads whole vec4s.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

override THREADS_X: u32 = 16u;
override THREADS_Y: u32 = 8u;

const TILE_K = 16u;

// One vec4 of padding a row spreads the writes of a row-major matrix over the banks.
override A_QUADS = 2u * THREADS_Y;
override B_QUADS = THREADS_X;
override A_PITCH = A_QUADS + 1u;
override B_PITCH = B_QUADS + 1u;
override A_LENGTH = TILE_K * A_PITCH;
override B_LENGTH = TILE_K * B_PITCH;
override THREADS = THREADS_X * THREADS_Y;

var<workgroup> aTile: array<vec4<f32>, A_LENGTH>;
var<workgroup> bTile: array<vec4<f32>, B_LENGTH>;

fn loadA(rows: vec4<u32>, k: u32, end: u32) -> vec4<f32> {
  if (k >= end) {
    return vec4<f32>();
  }
  let index = sizes.aOffset + rows * sizes.aRowStride + k * sizes.aColumnStride;
  return vec4<f32>(a[index.x], a[index.y], a[index.z], a[index.w]);
}

fn loadB(k: u32, end: u32, columns: vec4<u32>) -> vec4<f32> {
  if (k >= end) {
    return vec4<f32>();
  }
  return weightQuad(k * sizes.bRowStride + columns * sizes.bColumnStride);
}

@compute @workgroup_size(THREADS_X, THREADS_Y)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let rows = liveRows();
  let firstRow = group.y * 8u * THREADS_Y;
  let firstColumn = group.x * 4u * THREADS_X;
  if (firstRow >= rows) {
    return;
  }
  let start = group.z * sizes.splitLength;
  let end = min(sizes.K, start + sizes.splitLength);
  var sum0 = vec4<f32>();
  var sum1 = vec4<f32>();
  var sum2 = vec4<f32>();
  var sum3 = vec4<f32>();
  var sum4 = vec4<f32>();
  var sum5 = vec4<f32>();
  var sum6 = vec4<f32>();
  var sum7 = vec4<f32>();
  let lastRow = rows - 1u;
  for (var tile = start; tile < end; tile += TILE_K) {
    // Neighbouring invocations read neighbouring elements, along k or across it.
    for (var i = thread; i < TILE_K * A_QUADS; i += THREADS) {
      let alongK = sizes.aColumnStride == 1u;
      let k = select(i / A_QUADS, i % TILE_K, alongK);
      let quad = select(i % A_QUADS, i / TILE_K, alongK);
      let quadRows = min(firstRow + quad * 4u + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(lastRow));
      aTile[k * A_PITCH + quad] = loadA(quadRows, tile + k, end);
    }
    for (var i = thread; i < TILE_K * B_QUADS; i += THREADS) {
      let alongK = sizes.bRowStride == 1u;
      let k = select(i / B_QUADS, i % TILE_K, alongK);
      let quad = select(i % B_QUADS, i / TILE_K, alongK);
      let columns = min(firstColumn + quad * 4u + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(sizes.N - 1u));
      bTile[k * B_PITCH + quad] = loadB(tile + k, end, columns);
    }
    workgroupBarrier();
    for (var k = 0u; k < TILE_K; k++) {
      let low = aTile[k * A_PITCH + local.y * 2u];
      let high = aTile[k * A_PITCH + local.y * 2u + 1u];
      let row = bTile[k * B_PITCH + local.x];
      sum0 = fma(vec4<f32>(low.x), row, sum0);
      sum1 = fma(vec4<f32>(low.y), row, sum1);
      sum2 = fma(vec4<f32>(low.z), row, sum2);
      sum3 = fma(vec4<f32>(low.w), row, sum3);
      sum4 = fma(vec4<f32>(high.x), row, sum4);
      sum5 = fma(vec4<f32>(high.y), row, sum5);
      sum6 = fma(vec4<f32>(high.z), row, sum6);
      sum7 = fma(vec4<f32>(high.w), row, sum7);
    }
    workgroupBarrier();
  }
  let m = firstRow + local.y * 8u;
  let n = firstColumn + local.x * 4u;
  let offset = biasQuad(n);
  for (var i = 0u; i < sizes.blockRows; i++) {
    var sum = sum0;
    sum = select(sum, sum1, i == 1u);
    sum = select(sum, sum2, i == 2u);
    sum = select(sum, sum3, i == 3u);
    sum = select(sum, sum4, i == 4u);
    sum = select(sum, sum5, i == 5u);
    sum = select(sum, sum6, i == 6u);
    sum = select(sum, sum7, i == 7u);
    storeQuad(rows, m + i, n, group.z, sum, offset);
  }
}
