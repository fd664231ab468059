// attention-keys.wgsl where the threads of four keys pass on softmax weights and gradients of scores by shuffles.
// dOut, q: (B * T, H * D)   k, v, dK, dV: (B * T, Hkv * D)   lse, delta: (B, H, T)
// dK and dV are overwritten. Grid: tiles of keys, key heads, B.
@group(0) @binding(0) var<storage, read> dOut: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dK: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dV: array<vec4<f32>>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

// Weights of 4 keys for one query; 0 for a query past the end. lse2 is in powers of 2.
fn weightOf(score: vec4<f32>, batch: u32, query: u32, key: u32, lse2: f32) -> vec4<f32> {
  // A key after the query wraps around to a large distance.
  let seen = vec4<u32>(query) - four(key) < vec4<u32>(reachOf(batch, query));
  let weight = exp2(score * (bitcast<f32>(sizes.scale) * LOG2E) - lse2);
  return select(vec4<f32>(0.0), weight, seen & vec4<bool>(query < sizes.T));
}

// Never indexed by a variable, so that a compiler can keep all of them in registers.
var<private> dKeys: array<vec4<f32>, 4>;
var<private> dValues: array<vec4<f32>, 4>;

// Of one query, for 4 keys.
fn addQuery(weight: vec4<f32>, dScore: vec4<f32>, row: u32) {
  let dO = dOut[row];
  dValues[0] += weight.x * dO;
  dValues[1] += weight.y * dO;
  dValues[2] += weight.z * dO;
  dValues[3] += weight.w * dO;
  let value = q[row];
  dKeys[0] += dScore.x * value;
  dKeys[1] += dScore.y * value;
  dKeys[2] += dScore.z * value;
  dKeys[3] += dScore.w * value;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32,
        @builtin(subgroup_invocation_id) subgroupLane: u32) {
  let T = sizes.T;
  let kvHead = group.y;
  let batch = group.z;
  let lane = subgroupLane % LANES;
  let firstLane = subgroupLane - lane;
  let tile = group.x * ROWS;
  let key = tile + 4u * (thread / LANES);
  let k0 = keyIndex(batch, key, kvHead);
  let k1 = keyIndex(batch, key + 1u, kvHead);
  let k2 = keyIndex(batch, key + 2u, kvHead);
  let k3 = keyIndex(batch, key + 3u, kvHead);
  let rowStep = sizes.H * LANES;

  // The last query that sees the tile's last key, plus one.
  let end = min(T, tile + ROWS - 1u + min(sizes.window, T));
  for (var head = kvHead * (sizes.H / sizes.Hkv); head < (kvHead + 1u) * (sizes.H / sizes.Hkv); head++) {
    let statistics = (batch * sizes.H + head) * T;
    let lastRow = queryIndex(batch, T, head) + lane;
    for (var start = tile; start < end; start += D) {
      if (isPast(batch, start, tile + ROWS - 1u)) { break; }
      let query = start + 4u * lane;
      var s0 = vec4<f32>(0.0);
      var s1 = vec4<f32>(0.0);
      var s2 = vec4<f32>(0.0);
      var s3 = vec4<f32>(0.0);
      var w0 = vec4<f32>(0.0);
      var w1 = vec4<f32>(0.0);
      var w2 = vec4<f32>(0.0);
      var w3 = vec4<f32>(0.0);
      if (query + 4u > key && query < T) {
        let q0 = queryIndex(batch, query, head);
        let q1 = queryIndex(batch, query + 1u, head);
        let q2 = queryIndex(batch, query + 2u, head);
        let q3 = queryIndex(batch, query + 3u, head);
        for (var d = 0u; d < sizes.quads; d++) {
          let a0 = k[k0 + d];
          let a1 = k[k1 + d];
          let a2 = k[k2 + d];
          let a3 = k[k3 + d];
          s0 += dots(q[q0 + d], a0, a1, a2, a3);
          s1 += dots(q[q1 + d], a0, a1, a2, a3);
          s2 += dots(q[q2 + d], a0, a1, a2, a3);
          s3 += dots(q[q3 + d], a0, a1, a2, a3);
          let c0 = v[k0 + d];
          let c1 = v[k1 + d];
          let c2 = v[k2 + d];
          let c3 = v[k3 + d];
          w0 += dots(dOut[q0 + d], c0, c1, c2, c3);
          w1 += dots(dOut[q1 + d], c0, c1, c2, c3);
          w2 += dots(dOut[q2 + d], c0, c1, c2, c3);
          w3 += dots(dOut[q3 + d], c0, c1, c2, c3);
        }
      }
      let at = statistics + min(four(query), vec4<u32>(T - 1u));
      s0 = weightOf(s0, batch, query, key, LOG2E * lse[at.x]);
      s1 = weightOf(s1, batch, query + 1u, key, LOG2E * lse[at.y]);
      s2 = weightOf(s2, batch, query + 2u, key, LOG2E * lse[at.z]);
      s3 = weightOf(s3, batch, query + 3u, key, LOG2E * lse[at.w]);
      w0 = s0 * (w0 - delta[at.x]);
      w1 = s1 * (w1 - delta[at.y]);
      w2 = s2 * (w2 - delta[at.z]);
      w3 = s3 * (w3 - delta[at.w]);

      let met = min(D, end - start);
      var row = queryIndex(batch, start, head) + lane;
      for (var i = 0u; i < met; i += 4u) {
        let holder = firstLane + i / 4u;
        addQuery(subgroupShuffle(s0, holder), subgroupShuffle(w0, holder), min(row, lastRow));
        addQuery(subgroupShuffle(s1, holder), subgroupShuffle(w1, holder), min(row + rowStep, lastRow));
        addQuery(subgroupShuffle(s2, holder), subgroupShuffle(w2, holder), min(row + 2u * rowStep, lastRow));
        addQuery(subgroupShuffle(s3, holder), subgroupShuffle(w3, holder), min(row + 3u * rowStep, lastRow));
        row += 4u * rowStep;
      }
    }
  }
  let scale = bitcast<f32>(sizes.scale);
  if (key < T) {
    dK[k0 + lane] = scale * dKeys[0];
    dV[k0 + lane] = dValues[0];
  }
  if (key + 1u < T) {
    dK[k1 + lane] = scale * dKeys[1];
    dV[k1 + lane] = dValues[1];
  }
  if (key + 2u < T) {
    dK[k2 + lane] = scale * dKeys[2];
    dV[k2 + lane] = dValues[2];
  }
  if (key + 3u < T) {
    dK[k3 + lane] = scale * dKeys[3];
    dV[k3 + lane] = dValues[3];
  }
}
