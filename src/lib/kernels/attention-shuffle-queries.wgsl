// attention-queries.wgsl where the threads of four queries pass on the gradients of their scores by shuffles.
// dOut, q, dQ: (B * T, H * D)   k, v: (B * T, Hkv * D)   lse, delta: (B, H, T)
// dQ is overwritten. Grid: tiles of queries, heads, B.
@group(0) @binding(0) var<storage, read> dOut: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dQ: array<vec4<f32>>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

// Gradient of 4 queries' scores of one key. lse2 is in powers of 2.
fn dScore(score: vec4<f32>, dWeight: vec4<f32>, query: u32, key: u32, reach: vec4<u32>, lse2: vec4<f32>,
          mean: vec4<f32>) -> vec4<f32> {
  // A key after the query wraps around to a large distance.
  let seen = four(query) - vec4<u32>(key) < reach;
  let weight = exp2(score * (bitcast<f32>(sizes.scale) * LOG2E) - lse2);
  return select(vec4<f32>(0.0), weight * (dWeight - mean), seen);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) thread: u32, @builtin(subgroup_invocation_id) subgroupLane: u32) {
  let T = sizes.T;
  let head = group.y;
  let kvHead = head / (sizes.H / sizes.Hkv);
  let batch = group.z;
  let lane = subgroupLane % LANES;
  let firstLane = subgroupLane - lane;
  // The last queries see the most keys: they start first.
  let tile = (groups.x - 1u - group.x) * ROWS;
  let query = tile + 4u * (thread / LANES);
  let q0 = queryIndex(batch, query, head);
  let q1 = queryIndex(batch, query + 1u, head);
  let q2 = queryIndex(batch, query + 2u, head);
  let q3 = queryIndex(batch, query + 3u, head);
  let statistics = (batch * sizes.H + head) * T;
  let at = statistics + min(four(query), vec4<u32>(T - 1u));
  let lse2 = LOG2E * vec4<f32>(lse[at.x], lse[at.y], lse[at.z], lse[at.w]);
  let means = vec4<f32>(delta[at.x], delta[at.y], delta[at.z], delta[at.w]);
  let lastRow = keyIndex(batch, T, kvHead) + lane;
  let rowStep = sizes.Hkv * LANES;

  let reach = reachOfFour(batch, query);
  let begin = tile - min(tile, reachOf(batch, tile) - 1u);
  let end = min(T, tile + ROWS);
  for (var start = begin; start < end; start += D) {
    let key = start + 4u * lane;
    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    var s2 = vec4<f32>(0.0);
    var s3 = vec4<f32>(0.0);
    var w0 = vec4<f32>(0.0);
    var w1 = vec4<f32>(0.0);
    var w2 = vec4<f32>(0.0);
    var w3 = vec4<f32>(0.0);
    if (key < query + 4u) {
      let k0 = keyIndex(batch, key, kvHead);
      let k1 = keyIndex(batch, key + 1u, kvHead);
      let k2 = keyIndex(batch, key + 2u, kvHead);
      let k3 = keyIndex(batch, key + 3u, kvHead);
      for (var d = 0u; d < sizes.quads; d++) {
        let a0 = q[q0 + d];
        let a1 = q[q1 + d];
        let a2 = q[q2 + d];
        let a3 = q[q3 + d];
        s0 += dots(k[k0 + d], a0, a1, a2, a3);
        s1 += dots(k[k1 + d], a0, a1, a2, a3);
        s2 += dots(k[k2 + d], a0, a1, a2, a3);
        s3 += dots(k[k3 + d], a0, a1, a2, a3);
        let c0 = dOut[q0 + d];
        let c1 = dOut[q1 + d];
        let c2 = dOut[q2 + d];
        let c3 = dOut[q3 + d];
        w0 += dots(v[k0 + d], c0, c1, c2, c3);
        w1 += dots(v[k1 + d], c0, c1, c2, c3);
        w2 += dots(v[k2 + d], c0, c1, c2, c3);
        w3 += dots(v[k3 + d], c0, c1, c2, c3);
      }
    }
    s0 = dScore(s0, w0, query, key, reach, lse2, means);
    s1 = dScore(s1, w1, query, key + 1u, reach, lse2, means);
    s2 = dScore(s2, w2, query, key + 2u, reach, lse2, means);
    s3 = dScore(s3, w3, query, key + 3u, reach, lse2, means);

    // As many for all threads of a subgroup, or they could not shuffle: keys that a query does not see count 0.
    let seen = min(D, end - start);
    var row = keyIndex(batch, start, kvHead) + lane;
    for (var j = 0u; j < seen; j += 4u) {
      let holder = firstLane + j / 4u;
      addWeighted(subgroupShuffle(s0, holder), k[min(row, lastRow)]);
      addWeighted(subgroupShuffle(s1, holder), k[min(row + rowStep, lastRow)]);
      addWeighted(subgroupShuffle(s2, holder), k[min(row + 2u * rowStep, lastRow)]);
      addWeighted(subgroupShuffle(s3, holder), k[min(row + 3u * rowStep, lastRow)]);
      row += 4u * rowStep;
    }
  }
  let scale = bitcast<f32>(sizes.scale);
  if (query < T) { dQ[q0 + lane] = scale * sums[0]; }
  if (query + 1u < T) { dQ[q1 + lane] = scale * sums[1]; }
  if (query + 2u < T) { dQ[q2 + lane] = scale * sums[2]; }
  if (query + 3u < T) { dQ[q3 + lane] = scale * sums[3]; }
}
