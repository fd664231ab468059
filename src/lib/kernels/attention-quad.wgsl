// Causal grouped-query attention, forward, in one subgroup of 4 lanes; see attention-quad-shape.wgsl.
// q, out: (B * T, H * D)   k, v: (B * T, Hkv * D)   lse: (B, H, T), natural log-sum-exp of scaled scores
// out and lse are overwritten. Grid: tiles of queries x chunks of dimensions, heads, B.
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

const HIDDEN = -1e30;

// Column i: scores of the lane's key 4 * i + lane, those out of sight HIDDEN. The softmax is in powers of 2.
fn visible(scores: mat4x4<f32>, query: u32, key: u32, reach: vec4<u32>) -> mat4x4<f32> {
  // A key after the query wraps around to a large distance.
  let distance = four(query) - vec4<u32>(key);
  let scale = bitcast<f32>(sizes.scale) * LOG2E;
  const hidden = vec4<f32>(HIDDEN);
  return mat4x4<f32>(
    select(hidden, scores[0] * scale, distance < reach),
    select(hidden, scores[1] * scale, distance - vec4<u32>(4u) < reach),
    select(hidden, scores[2] * scale, distance - vec4<u32>(8u) < reach),
    select(hidden, scores[3] * scale, distance - vec4<u32>(12u) < reach),
  );
}

fn weightOf(score: vec4<f32>, maximum: vec4<f32>) -> vec4<f32> {
  return select(exp2(score - maximum), vec4<f32>(0.0), score == vec4<f32>(HIDDEN));
}

fn shrunk(results: mat4x4<f32>, by: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(results[0] * by.x, results[1] * by.y, results[2] * by.z, results[3] * by.w);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(subgroup_invocation_id) lane: u32) {
  let T = sizes.T;
  let chunks = chunkCount();
  let head = group.y;
  let batch = group.z;
  let kvHead = head / (sizes.H / sizes.Hkv);
  // The last queries see the most keys: they start first.
  let tile = (groups.x / chunks - 1u - group.x / chunks) * OWN;
  let chunk = group.x % chunks;
  let own = queryIndex(batch, tile + lane, head);
  let quad0 = quadOf(chunk, lane, 0u);
  let quad1 = quadOf(chunk, lane, 1u);
  let reach = reachOfFour(batch, tile);

  var maximum = vec4<f32>(HIDDEN);
  var total = vec4<f32>();
  var results0 = mat4x4<f32>();
  var results1 = mat4x4<f32>();
  let begin = tile - min(tile, reachOf(batch, tile) - 1u);
  let end = min(T, tile + OWN);
  for (var start = begin; start < end; start += TILE) {
    let k0 = keyIndex(batch, start + lane, kvHead);
    let k1 = keyIndex(batch, start + 4u + lane, kvHead);
    let k2 = keyIndex(batch, start + 8u + lane, kvHead);
    let k3 = keyIndex(batch, start + 12u + lane, kvHead);
    var s = mat4x4<f32>();
    for (var d = 0u; d < sizes.quads; d++) {
      let rows = fourRows(q[own + d]);
      s += mat4x4<f32>(k[k0 + d] * rows, k[k1 + d] * rows, k[k2 + d] * rows, k[k3 + d] * rows);
    }
    s = visible(s, tile, start + lane, reach);
    let before = maximum;
    maximum = max(before, subgroupMax(max(max(s[0], s[1]), max(s[2], s[3]))));
    s = mat4x4<f32>(weightOf(s[0], maximum), weightOf(s[1], maximum), weightOf(s[2], maximum), weightOf(s[3], maximum));
    let shrink = exp2(before - maximum);
    // Of this lane's keys alone; lanes are added up at the end.
    total = total * shrink + ((s[0] + s[1]) + (s[2] + s[3]));
    results0 = shrunk(results0, shrink);
    results1 = shrunk(results1, shrink);
    let fours = (min(end - start, TILE) + 3u) / 4u;
    for (var i = 0u; i < fours; i++) {
      let weights = fourRows(columnOf(s, i));
      let v0 = keyIndex(batch, start + 4u * i, kvHead);
      let v1 = keyIndex(batch, start + 4u * i + 1u, kvHead);
      let v2 = keyIndex(batch, start + 4u * i + 2u, kvHead);
      let v3 = keyIndex(batch, start + 4u * i + 3u, kvHead);
      results0 = addStreamed(results0, weights,
        mat4x4<f32>(v[v0 + quad0], v[v1 + quad0], v[v2 + quad0], v[v3 + quad0]));
      results1 = addStreamed(results1, weights,
        mat4x4<f32>(v[v0 + quad1], v[v1 + quad1], v[v2 + quad1], v[v3 + quad1]));
    }
  }

  let sum = subgroupAdd(total);
  for (var i = 0u; i < min(OWN, T - tile); i++) {
    let row = queryIndex(batch, tile + i, head);
    if (holds(chunk, lane, 0u)) { out[row + quad0] = columnOf(results0, i) / sum[i]; }
    if (holds(chunk, lane, 1u)) { out[row + quad1] = columnOf(results1, i) / sum[i]; }
  }
  if (chunk == 0u && lane < min(OWN, T - tile)) {
    lse[(batch * sizes.H + head) * T + tile + lane] = (maximum[lane] + log2(sum[lane])) * LN2;
  }
}
