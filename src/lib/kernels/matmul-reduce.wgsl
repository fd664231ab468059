// Adds the planes of a matrix product whose K was split, plane 0 first, then finishes as one product would:
// out = alpha * sum [+ bias] [+ out]. One invocation a Pack: four columns where rows lie together.
// planes: (splits, M, N)   out: (M, N) with strides
// Before this text: a bias's prelude, Pack and COLUMNS, the columns of a Pack.
struct ReduceSizes {
  M: u32,
  N: u32,
  splits: u32,
  outRowStride: u32,
  outColumnStride: u32,
  outOffset: u32,
  alpha: u32,
  // PACK or 0, then 1 or 0, as in matmul-sizes.wgsl.
  biasColumns: u32,
  accumulateTimes: u32,
  limited: u32,
  limitWord: u32,
  limitOffset: u32,
}

@group(0) @binding(0) var<storage, read> planes: array<Pack>;
@group(0) @binding(1) var<storage, read> bias: array<BiasWord>;
@group(0) @binding(2) var<storage, read> liveCount: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<Pack>;
@group(0) @binding(4) var<uniform> sizes: ReduceSizes;

@compute @workgroup_size(64)
fn main(
  @builtin(global_invocation_id) id: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
) {
  let element = id.y * groups.x * 64u + id.x;
  let row = element / (sizes.N / PACK);
  let column = element % (sizes.N / PACK) * PACK;
  var rows = sizes.M;
  if (sizes.limited == 1u) {
    let count = liveCount[sizes.limitWord];
    rows = min(rows, count - min(count, sizes.limitOffset));
  }
  if (row >= rows) {
    return;
  }
  var sum = Pack();
  for (var split = 0u; split < sizes.splits; split++) {
    sum += planes[split * (sizes.M * sizes.N / PACK) + element];
  }
  let index = (sizes.outOffset + row * sizes.outRowStride + column * sizes.outColumnStride) / PACK;
  var value = bitcast<f32>(sizes.alpha) * sum;
  for (var i = 0u; i < sizes.biasColumns; i++) {
    let here = Pack(biasValue(bias[biasPlace(column + i)], column + i));
    value += select(Pack(), here, COLUMNS == PackBits(i));
  }
  for (var i = 0u; i < sizes.accumulateTimes; i++) {
    value += out[index];
  }
  out[index] = value;
}
