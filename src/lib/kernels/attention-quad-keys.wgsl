// Causal grouped-query attention, gradients of keys and values, in one subgroup of 4 lanes; see attention-quad-shape.wgsl.
// Own rows are keys; the queries that see them are streamed for each head of the group in order.
// dOut, q: (B * T, H * D)   k, v, dK, dV: (B * T, Hkv * D)   lse, delta: (B, H, T)
// dK and dV are overwritten. Grid: tiles of keys x chunks of dimensions, key heads, B.
@group(0) @binding(0) var<storage, read> dOut: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dK: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dV: array<vec4<f32>>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

// Weights of the 4 own keys for one query; 0 for a query past the end.
fn weightOf(score: vec4<f32>, batch: u32, query: u32, key: u32, statistics: u32) -> vec4<f32> {
  // A key after the query wraps around to a large distance.
  let seen = vec4<u32>(query) - four(key) < vec4<u32>(select(0u, reachOf(batch, query), query < sizes.T));
  let lse2 = LOG2E * lse[statistics + min(query, sizes.T - 1u)];
  return select(vec4<f32>(0.0), exp2(score * (bitcast<f32>(sizes.scale) * LOG2E) - lse2), seen);
}

fn dScore(weight: vec4<f32>, dWeight: vec4<f32>, query: u32, statistics: u32) -> vec4<f32> {
  return weight * (dWeight - delta[statistics + min(query, sizes.T - 1u)]);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let T = sizes.T;
  let chunks = chunkCount();
  let kvHead = group.y;
  let batch = group.z;
  let tile = group.x / chunks * OWN;
  let chunk = group.x % chunks;
  let own = keyIndex(batch, tile + lane, kvHead);
  let quad0 = quadOf(chunk, lane, 0u);
  let quad1 = quadOf(chunk, lane, 1u);

  var dKeys0 = mat4x4<f32>();
  var dKeys1 = mat4x4<f32>();
  var dValues0 = mat4x4<f32>();
  var dValues1 = mat4x4<f32>();
  // The last query that sees the tile's last key, plus one.
  let end = min(T, tile + OWN - 1u + min(sizes.window, T));
  for (var head = kvHead * (sizes.H / sizes.Hkv); head < (kvHead + 1u) * (sizes.H / sizes.Hkv); head++) {
    let statistics = (batch * sizes.H + head) * T;
    for (var start = tile; start < end; start += TILE) {
      if (isPast(batch, start, tile + OWN - 1u)) { break; }
      let query = start + lane;
      let q0 = queryIndex(batch, query, head);
      let q1 = queryIndex(batch, query + 4u, head);
      let q2 = queryIndex(batch, query + 8u, head);
      let q3 = queryIndex(batch, query + 12u, head);
      var s = mat4x4<f32>();
      var w = mat4x4<f32>();
      for (var d = 0u; d < sizes.quads; d++) {
        let rows = fourRows(k[own + d]);
        s += mat4x4<f32>(q[q0 + d] * rows, q[q1 + d] * rows, q[q2 + d] * rows, q[q3 + d] * rows);
        let vRows = fourRows(v[own + d]);
        w += mat4x4<f32>(dOut[q0 + d] * vRows, dOut[q1 + d] * vRows, dOut[q2 + d] * vRows, dOut[q3 + d] * vRows);
      }
      s = mat4x4<f32>(
        weightOf(s[0], batch, query, tile, statistics),
        weightOf(s[1], batch, query + 4u, tile, statistics),
        weightOf(s[2], batch, query + 8u, tile, statistics),
        weightOf(s[3], batch, query + 12u, tile, statistics),
      );
      w = mat4x4<f32>(
        dScore(s[0], w[0], query, statistics),
        dScore(s[1], w[1], query + 4u, statistics),
        dScore(s[2], w[2], query + 8u, statistics),
        dScore(s[3], w[3], query + 12u, statistics),
      );
      let fours = (min(end - start, TILE) + 3u) / 4u;
      // One after the other: a loop of both would be more code than a processor keeps at hand.
      for (var i = 0u; i < fours; i++) {
        let weights = fourRows(columnOf(s, i));
        let r0 = queryIndex(batch, start + 4u * i, head);
        let r1 = queryIndex(batch, start + 4u * i + 1u, head);
        let r2 = queryIndex(batch, start + 4u * i + 2u, head);
        let r3 = queryIndex(batch, start + 4u * i + 3u, head);
        dValues0 = addStreamed(dValues0, weights,
          mat4x4<f32>(dOut[r0 + quad0], dOut[r1 + quad0], dOut[r2 + quad0], dOut[r3 + quad0]));
        dValues1 = addStreamed(dValues1, weights,
          mat4x4<f32>(dOut[r0 + quad1], dOut[r1 + quad1], dOut[r2 + quad1], dOut[r3 + quad1]));
      }
      for (var i = 0u; i < fours; i++) {
        let weights = fourRows(columnOf(w, i));
        let r0 = queryIndex(batch, start + 4u * i, head);
        let r1 = queryIndex(batch, start + 4u * i + 1u, head);
        let r2 = queryIndex(batch, start + 4u * i + 2u, head);
        let r3 = queryIndex(batch, start + 4u * i + 3u, head);
        dKeys0 = addStreamed(dKeys0, weights,
          mat4x4<f32>(q[r0 + quad0], q[r1 + quad0], q[r2 + quad0], q[r3 + quad0]));
        dKeys1 = addStreamed(dKeys1, weights,
          mat4x4<f32>(q[r0 + quad1], q[r1 + quad1], q[r2 + quad1], q[r3 + quad1]));
      }
    }
  }

  let scale = bitcast<f32>(sizes.scale);
  for (var i = 0u; i < min(OWN, T - tile); i++) {
    let row = keyIndex(batch, tile + i, kvHead);
    if (holds(chunk, lane, 0u)) {
      dK[row + quad0] = scale * columnOf(dKeys0, i);
      dV[row + quad0] = columnOf(dValues0, i);
    }
    if (holds(chunk, lane, 1u)) {
      dK[row + quad1] = scale * columnOf(dKeys1, i);
      dV[row + quad1] = columnOf(dValues1, i);
    }
  }
}
