// Causal grouped-query attention, gradient of the queries, in one subgroup of 4 lanes; see attention-quad-shape.wgsl.
// dOut, q, dQ: (B * T, H * D)   k, v: (B * T, Hkv * D)   lse, delta: (B, H, T)
// dQ is overwritten. Grid: tiles of queries x chunks of dimensions, heads, B.
@group(0) @binding(0) var<storage, read> dOut: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dQ: array<vec4<f32>>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

// Gradient of 4 queries' scores of one key. lse2 is in powers of 2.
fn dScore(score: vec4<f32>, dWeight: vec4<f32>, seen: vec4<bool>, lse2: vec4<f32>, mean: vec4<f32>) -> vec4<f32> {
  let weight = exp2(score * (bitcast<f32>(sizes.scale) * LOG2E) - lse2);
  return select(vec4<f32>(0.0), weight * (dWeight - mean), seen);
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
  let statistics = (batch * sizes.H + head) * T + min(tile + lane, T - 1u);
  let lse2 = fourOf(LOG2E * lse[statistics]);
  let means = fourOf(delta[statistics]);

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
    var w = mat4x4<f32>();
    for (var d = 0u; d < sizes.quads; d++) {
      let rows = fourRows(q[own + d]);
      s += mat4x4<f32>(k[k0 + d] * rows, k[k1 + d] * rows, k[k2 + d] * rows, k[k3 + d] * rows);
      let dRows = fourRows(dOut[own + d]);
      w += mat4x4<f32>(v[k0 + d] * dRows, v[k1 + d] * dRows, v[k2 + d] * dRows, v[k3 + d] * dRows);
    }
    // A key after the query wraps around to a large distance.
    let distance = four(tile) - vec4<u32>(start + lane);
    s = mat4x4<f32>(
      dScore(s[0], w[0], distance < reach, lse2, means),
      dScore(s[1], w[1], distance - vec4<u32>(4u) < reach, lse2, means),
      dScore(s[2], w[2], distance - vec4<u32>(8u) < reach, lse2, means),
      dScore(s[3], w[3], distance - vec4<u32>(12u) < reach, lse2, means),
    );
    let fours = (min(end - start, TILE) + 3u) / 4u;
    for (var i = 0u; i < fours; i++) {
      let weights = fourRows(columnOf(s, i));
      let r0 = keyIndex(batch, start + 4u * i, kvHead);
      let r1 = keyIndex(batch, start + 4u * i + 1u, kvHead);
      let r2 = keyIndex(batch, start + 4u * i + 2u, kvHead);
      let r3 = keyIndex(batch, start + 4u * i + 3u, kvHead);
      results0 = addStreamed(results0, weights,
        mat4x4<f32>(k[r0 + quad0], k[r1 + quad0], k[r2 + quad0], k[r3 + quad0]));
      results1 = addStreamed(results1, weights,
        mat4x4<f32>(k[r0 + quad1], k[r1 + quad1], k[r2 + quad1], k[r3 + quad1]));
    }
  }

  let scale = bitcast<f32>(sizes.scale);
  for (var i = 0u; i < min(OWN, T - tile); i++) {
    let row = queryIndex(batch, tile + i, head);
    if (holds(chunk, lane, 0u)) { dQ[row + quad0] = scale * columnOf(results0, i); }
    if (holds(chunk, lane, 1u)) { dQ[row + quad1] = scale * columnOf(results1, i); }
  }
}
