// attention.wgsl where the threads of four queries pass on their softmax weights by shuffles.
// q, out: (B * T, H * D)   k, v: (B * T, Hkv * D)   lse: (B, H, T), natural log-sum-exp of scaled scores
// out and lse are overwritten. Grid: tiles of queries, heads, B.
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

const HIDDEN = -1e30;

// Scores of 4 queries against one key, those out of sight HIDDEN.
fn visible(score: vec4<f32>, query: u32, key: u32, reach: vec4<u32>) -> vec4<f32> {
  // A key after the query wraps around to a large distance.
  let seen = four(query) - vec4<u32>(key) < reach;
  // The softmax is in powers of 2.
  return select(vec4<f32>(HIDDEN), score * (bitcast<f32>(sizes.scale) * LOG2E), seen);
}

fn weightOf(score: vec4<f32>, maximum: vec4<f32>) -> vec4<f32> {
  return select(exp2(score - maximum), vec4<f32>(0.0), score == vec4<f32>(HIDDEN));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) thread: u32, @builtin(subgroup_invocation_id) subgroupLane: u32) {
  let T = sizes.T;
  let head = group.y;
  let batch = group.z;
  let kvHead = head / (sizes.H / sizes.Hkv);
  let lane = subgroupLane % LANES;
  let firstLane = subgroupLane - lane;
  // The last queries see the most keys: they start first.
  let tile = (groups.x - 1u - group.x) * ROWS;
  let query = tile + 4u * (thread / LANES);
  let q0 = queryIndex(batch, query, head);
  let q1 = queryIndex(batch, query + 1u, head);
  let q2 = queryIndex(batch, query + 2u, head);
  let q3 = queryIndex(batch, query + 3u, head);
  let lastRow = keyIndex(batch, T, kvHead) + lane;
  let rowStep = sizes.Hkv * LANES;

  var maximum = vec4<f32>(HIDDEN);
  var total = vec4<f32>(0.0);

  let reach = reachOfFour(batch, query);
  let begin = tile - min(tile, reachOf(batch, tile) - 1u);
  let end = min(T, tile + ROWS);
  for (var start = begin; start < end; start += D) {
    let key = start + 4u * lane;
    let k0 = keyIndex(batch, key, kvHead);
    let k1 = keyIndex(batch, key + 1u, kvHead);
    let k2 = keyIndex(batch, key + 2u, kvHead);
    let k3 = keyIndex(batch, key + 3u, kvHead);
    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    var s2 = vec4<f32>(0.0);
    var s3 = vec4<f32>(0.0);
    if (key < query + 4u) {
      for (var d = 0u; d < sizes.quads; d++) {
        let a0 = q[q0 + d];
        let a1 = q[q1 + d];
        let a2 = q[q2 + d];
        let a3 = q[q3 + d];
        s0 += dots(k[k0 + d], a0, a1, a2, a3);
        s1 += dots(k[k1 + d], a0, a1, a2, a3);
        s2 += dots(k[k2 + d], a0, a1, a2, a3);
        s3 += dots(k[k3 + d], a0, a1, a2, a3);
      }
    }
    s0 = visible(s0, query, key, reach);
    s1 = visible(s1, query, key + 1u, reach);
    s2 = visible(s2, query, key + 2u, reach);
    s3 = visible(s3, query, key + 3u, reach);

    let before = maximum;
    maximum = max(before, largestOfRow(max(max(s0, s1), max(s2, s3))));
    s0 = weightOf(s0, maximum);
    s1 = weightOf(s1, maximum);
    s2 = weightOf(s2, maximum);
    s3 = weightOf(s3, maximum);
    let shrink = exp2(before - maximum);
    // Of this thread's keys alone; the threads of a query are added up at the end.
    total = total * shrink + ((s0 + s1) + (s2 + s3));
    sums[0] *= shrink.x;
    sums[1] *= shrink.y;
    sums[2] *= shrink.z;
    sums[3] *= shrink.w;

    // As many for all threads of a subgroup, or they could not shuffle: keys that a query does not see weigh 0.
    let seen = min(D, end - start);
    var row = keyIndex(batch, start, kvHead) + lane;
    for (var j = 0u; j < seen; j += 4u) {
      let holder = firstLane + j / 4u;
      addWeighted(subgroupShuffle(s0, holder), v[min(row, lastRow)]);
      addWeighted(subgroupShuffle(s1, holder), v[min(row + rowStep, lastRow)]);
      addWeighted(subgroupShuffle(s2, holder), v[min(row + 2u * rowStep, lastRow)]);
      addWeighted(subgroupShuffle(s3, holder), v[min(row + 3u * rowStep, lastRow)]);
      row += 4u * rowStep;
    }
  }

  var sum = vec4<f32>(0.0);
  for (var i = 0u; i < LANES; i++) { sum += subgroupShuffle(total, firstLane + i); }
  if (query < T) { out[q0 + lane] = sums[0] / sum.x; }
  if (query + 1u < T) { out[q1 + lane] = sums[1] / sum.y; }
  if (query + 2u < T) { out[q2 + lane] = sums[2] / sum.z; }
  if (query + 3u < T) { out[q3 + lane] = sums[3] / sum.w; }
  let logSums = (maximum + log2(sum)) * LN2;
  for (var i = lane; i < 4u; i += LANES) {
    if (query + i < T) { lse[(batch * sizes.H + head) * T + query + i] = logSums[i]; }
  }
}
