// Matrix product through workgroup memory: for adapters that are real GPUs.
// A workgroup computes 8 * THREADS_Y rows by 4 * THREADS_X columns of `out`; an invocation 8 by 4.
// K goes through in tiles of 16, stored k-major so that the inner loop reads whole vec4s. They are loaded in blocks
// of 4 by 4, by four vec4s where the layout allows: with the default sizes half of the invocations load a block of
// `a`, the others one of `b`. Before this text: the type of a tile, and a left and a right text, which load and know
// the layouts.
// Each sum runs over k in ascending order, as in every variant: the bits are the same.

override THREADS_X: u32 = 16u;
override THREADS_Y: u32 = 8u;

const TILE_K = 16u;
const TILE_KS = TILE_K / 4u;

// One vec4 of padding a row spreads the writes of a row-major matrix over the banks.
override A_QUADS = 2u * THREADS_Y;
override B_QUADS = THREADS_X;
override A_PITCH = A_QUADS + 1u;
override B_PITCH = B_QUADS + 1u;
override A_LENGTH = TILE_K * A_PITCH;
override B_LENGTH = TILE_K * B_PITCH;
override A_BLOCKS = TILE_KS * A_QUADS;
override BLOCKS = A_BLOCKS + TILE_KS * B_QUADS;
override THREADS = THREADS_X * THREADS_Y;

var<workgroup> aTile: array<TileQuad, A_LENGTH>;
var<workgroup> bTile: array<TileQuad, B_LENGTH>;

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
  let leftStep = leftStep();
  let rightStep = rightStep();
  for (var tile = start; tile < end; tile += TILE_K) {
    for (var i = thread; i < BLOCKS; i += THREADS) {
      let isLeft = i < A_BLOCKS;
      let block = select(i - A_BLOCKS, i, isLeft);
      // Neighbouring invocations read neighbouring elements, along k or across it.
      let quads = select(B_QUADS, A_QUADS, isLeft);
      let alongK = select(sizes.bRowStride, sizes.aColumnStride, isLeft) == 1u;
      let k = 4u * select(block / quads, block % TILE_KS, alongK);
      let quad = select(block % quads, block / TILE_KS, alongK);
      // Zeros after the end of K.
      var values = mat4x4<f32>();
      if (isLeft) {
        if (tile + k < end) {
          values = loadLeft(leftPlace(firstRow + quad * 4u, rows), leftStep, tile + k, end);
        }
        for (var q = 0u; q < 4u; q++) {
          aTile[(k + q) * A_PITCH + quad] = toTile(values[q]);
        }
      } else {
        if (tile + k < end) {
          values = loadRight(rightPlace(firstColumn + quad * 4u), rightStep, tile + k, end);
        }
        for (var q = 0u; q < 4u; q++) {
          bTile[(k + q) * B_PITCH + quad] = toTile(values[q]);
        }
      }
    }
    workgroupBarrier();
    for (var k = 0u; k < TILE_K; k++) {
      let low = vec4<f32>(aTile[k * A_PITCH + local.y * 2u]);
      let high = vec4<f32>(aTile[k * A_PITCH + local.y * 2u + 1u]);
      let row = vec4<f32>(bTile[k * B_PITCH + local.x]);
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
