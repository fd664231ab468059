// Causal grouped-query attention, gradients of keys and values; the softmax weights are computed again from lse.
// The geometry of attention.wgsl turned around: a workgroup owns ROWS keys and streams the queries that see them,
// for each head of the group in order, so that the sums have one order.
// dOut, q: (B * T, H * D)   k, v, dK, dV: (B * T, Hkv * D)   lse, delta: (B, H, T)
// dK and dV are overwritten. Grid: tiles of keys, key heads, B.
override D: u32;
// Rows of a tile.
override ROWS: u32;

@group(0) @binding(0) var<storage, read> dOut: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dK: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dV: array<vec4<f32>>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

// Softmax weights of a tile, then gradients of its scores; 4 keys a vector, [ROWS / 4][D queries].
override TABLE: u32 = D * ROWS / 4;
var<workgroup> tables: array<vec4<f32>, 2 * TABLE>;

// Weights of 4 keys for one query; 0 for a query past the end. lse2 is in powers of 2.
fn weightOf(score: vec4<f32>, batch: u32, query: u32, key: u32, lse2: f32) -> vec4<f32> {
  // A key after the query wraps around to a large distance.
  let seen = vec4<u32>(query) - four(key) < vec4<u32>(reachOf(batch, query));
  let weight = exp2(score * (bitcast<f32>(sizes.scale) * LOG2E) - lse2);
  return select(vec4<f32>(0.0), weight, seen & vec4<bool>(query < sizes.T));
}

@compute @workgroup_size(D / 4, ROWS / 4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
  let T = sizes.T;
  let kvHead = group.y;
  let batch = group.z;
  let tile = group.x * ROWS;
  let key = tile + 4u * lane.y;
  let k0 = keyIndex(batch, key, kvHead);
  let k1 = keyIndex(batch, key + 1u, kvHead);
  let k2 = keyIndex(batch, key + 2u, kvHead);
  let k3 = keyIndex(batch, key + 3u, kvHead);

  var dK0 = vec4<f32>(0.0);
  var dK1 = vec4<f32>(0.0);
  var dK2 = vec4<f32>(0.0);
  var dK3 = vec4<f32>(0.0);
  var dV0 = vec4<f32>(0.0);
  var dV1 = vec4<f32>(0.0);
  var dV2 = vec4<f32>(0.0);
  var dV3 = vec4<f32>(0.0);
  // The last query that sees the tile's last key, plus one.
  let end = min(T, tile + ROWS - 1u + min(sizes.window, T));
  for (var head = kvHead * (sizes.H / sizes.Hkv); head < (kvHead + 1u) * (sizes.H / sizes.Hkv); head++) {
    let statistics = (batch * sizes.H + head) * T;
    for (var start = tile; start < end; start += D) {
      if (isPast(batch, start, tile + ROWS - 1u)) { break; }
      let query = start + 4u * lane.x;
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
      let mine = lane.y * D + 4u * lane.x;
      tables[mine] = s0;
      tables[mine + 1u] = s1;
      tables[mine + 2u] = s2;
      tables[mine + 3u] = s3;
      tables[TABLE + mine] = s0 * (w0 - delta[at.x]);
      tables[TABLE + mine + 1u] = s1 * (w1 - delta[at.y]);
      tables[TABLE + mine + 2u] = s2 * (w2 - delta[at.z]);
      tables[TABLE + mine + 3u] = s3 * (w3 - delta[at.w]);
      workgroupBarrier();

      var row = queryIndex(batch, start, head) + lane.x;
      let met = min(D, end - start);
      for (var i = 0u; i < met; i++) {
        let p = tables[lane.y * D + i];
        let dP = tables[TABLE + lane.y * D + i];
        let dO = dOut[row];
        dV0 += p.x * dO;
        dV1 += p.y * dO;
        dV2 += p.z * dO;
        dV3 += p.w * dO;
        let value = q[row];
        dK0 += dP.x * value;
        dK1 += dP.y * value;
        dK2 += dP.z * value;
        dK3 += dP.w * value;
        row += sizes.H * (D / 4u);
      }
      workgroupBarrier();
    }
  }
  let scale = bitcast<f32>(sizes.scale);
  if (key < T) {
    dK[k0 + lane.x] = scale * dK0;
    dV[k0 + lane.x] = dV0;
  }
  if (key + 1u < T) {
    dK[k1 + lane.x] = scale * dK1;
    dV[k1 + lane.x] = dV1;
  }
  if (key + 2u < T) {
    dK[k2 + lane.x] = scale * dK2;
    dV[k2 + lane.x] = dV2;
  }
  if (key + 3u < T) {
    dK[k3 + lane.x] = scale * dK3;
    dV[k3 + lane.x] = dV3;
  }
}
