// Causal grouped-query attention, forward, with an online softmax (Milakov and Gimelshein 2018; Dao 2022).
// A workgroup owns ROWS queries of one head and streams the keys they see in tiles of D. Its D/4 x ROWS/4 threads
// each score 4 queries against 4 keys, then hold 4 queries x 4 dimensions of the result.
// q, out: (B * T, H * D)   k, v: (B * T, Hkv * D)   lse: (B, H, T), natural log-sum-exp of scaled scores
// out and lse are overwritten. Grid: tiles of queries, heads, B.
override D: u32;
// Rows of a tile.
override ROWS: u32;

@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

const HIDDEN = -1e30;

// Softmax weights of a tile: 4 queries a vector, [ROWS / 4][D keys].
var<workgroup> weights: array<vec4<f32>, D * ROWS / 4>;
// What each thread found for its 4 queries, [ROWS / 4][D / 4].
var<workgroup> found: array<vec4<f32>, D * ROWS / 16>;

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

@compute @workgroup_size(D / 4, ROWS / 4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) lane: vec3<u32>) {
  let T = sizes.T;
  let head = group.y;
  let batch = group.z;
  let kvHead = head / (sizes.H / sizes.Hkv);
  // The last queries see the most keys: they start first.
  let tile = (groups.x - 1u - group.x) * ROWS;
  let query = tile + 4u * lane.y;
  let q0 = queryIndex(batch, query, head);
  let q1 = queryIndex(batch, query + 1u, head);
  let q2 = queryIndex(batch, query + 2u, head);
  let q3 = queryIndex(batch, query + 3u, head);

  var maximum = vec4<f32>(HIDDEN);
  var total = vec4<f32>(0.0);
  var o0 = vec4<f32>(0.0);
  var o1 = vec4<f32>(0.0);
  var o2 = vec4<f32>(0.0);
  var o3 = vec4<f32>(0.0);

  let reach = reachOfFour(batch, query);
  let begin = tile - min(tile, reachOf(batch, tile) - 1u);
  let end = min(T, tile + ROWS);
  for (var start = begin; start < end; start += D) {
    let key = start + 4u * lane.x;
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

    found[lane.y * (D / 4u) + lane.x] = max(max(s0, s1), max(s2, s3));
    workgroupBarrier();
    let before = maximum;
    for (var i = 0u; i < sizes.quads; i++) { maximum = max(maximum, found[lane.y * (D / 4u) + i]); }
    s0 = weightOf(s0, maximum);
    s1 = weightOf(s1, maximum);
    s2 = weightOf(s2, maximum);
    s3 = weightOf(s3, maximum);
    let mine = lane.y * D + 4u * lane.x;
    weights[mine] = s0;
    weights[mine + 1u] = s1;
    weights[mine + 2u] = s2;
    weights[mine + 3u] = s3;
    let shrink = exp2(before - maximum);
    // Of this thread's keys alone; the threads of a query are added up at the end.
    total = total * shrink + ((s0 + s1) + (s2 + s3));
    o0 *= shrink.x;
    o1 *= shrink.y;
    o2 *= shrink.z;
    o3 *= shrink.w;
    workgroupBarrier();

    // The next write of weights comes after a barrier that follows these reads.
    let seen = min(D, min(T, query + 4u) - min(start, query + 4u));
    var row = keyIndex(batch, start, kvHead) + lane.x;
    for (var j = 0u; j < seen; j++) {
      let p = weights[lane.y * D + j];
      let value = v[row];
      o0 += p.x * value;
      o1 += p.y * value;
      o2 += p.z * value;
      o3 += p.w * value;
      row += sizes.Hkv * (D / 4u);
    }
  }

  found[lane.y * (D / 4u) + lane.x] = total;
  workgroupBarrier();
  var sum = vec4<f32>(0.0);
  for (var i = 0u; i < sizes.quads; i++) { sum += found[lane.y * (D / 4u) + i]; }
  if (query < T) { out[q0 + lane.x] = o0 / sum.x; }
  if (query + 1u < T) { out[q1 + lane.x] = o1 / sum.y; }
  if (query + 2u < T) { out[q2 + lane.x] = o2 / sum.z; }
  if (query + 3u < T) { out[q3 + lane.x] = o3 / sum.w; }
  let sums = (maximum + log2(sum)) * LN2;
  for (var i = lane.x; i < 4u; i += D / 4u) {
    if (query + i < T) { lse[(batch * sizes.H + head) * T + query + i] = sums[i]; }
  }
}
