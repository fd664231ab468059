// Causal grouped-query attention, gradients of keys and values, in one subgroup; see attention-subgroup-shape.wgsl.
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

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let T = sizes.T;
  let chunks = chunkCount();
  let kvHead = group.y;
  let batch = group.z;
  let tile = group.x / chunks * TILE;
  let chunk = group.x % chunks;
  let low = keyIndex(batch, tile + lane, kvHead);
  let high = keyIndex(batch, tile + LANES + lane, kvHead);
  let scale = bitcast<f32>(sizes.scale);

  var dKeys = Results();
  var dValues = Results();
  // The last query that sees the tile's last key, plus one.
  let end = min(T, tile + TILE - 1u + min(sizes.window, T));
  for (var head = kvHead * (sizes.H / sizes.Hkv); head < (kvHead + 1u) * (sizes.H / sizes.Hkv); head++) {
    let statistics = (batch * sizes.H + head) * T;
    for (var start = tile; start < end; start += TILE) {
      if (isPast(batch, start, tile + TILE - 1u)) { break; }
      let query0 = start + lane;
      let query1 = start + LANES + lane;
      let index0 = queryIndex(batch, query0, head);
      let index1 = queryIndex(batch, query1, head);
      // Written out: Dawn's compiler (webgpu 0.6.2) does not clear a variable without a value again in each round.
      var s = Scores();
      var w = Scores();
      for (var d = 0u; d < sizes.quads; d++) {
        let own = ownRows(k[low + d], k[high + d]);
        let ownV = ownRows(v[low + d], v[high + d]);
        let q0 = q[index0 + d];
        let q1 = q[index1 + d];
        let d0 = dOut[index0 + d];
        let d1 = dOut[index1 + d];
        for (var g = 0u; g < OWN; g++) {
          s[0][g] += q0 * own[g];
          s[1][g] += q1 * own[g];
          w[0][g] += d0 * ownV[g];
          w[1][g] += d1 * ownV[g];
        }
      }
      let row0 = statistics + min(query0, T - 1u);
      let row1 = statistics + min(query1, T - 1u);
      let lse0 = LOG2E * lse[row0];
      let lse1 = LOG2E * lse[row1];
      let mean0 = delta[row0];
      let mean1 = delta[row1];
      for (var g = 0u; g < OWN; g++) {
        // A key after the query wraps around to a large distance; a query past the end sees nothing.
        let distance = vec4<u32>(query0) - four(tile + 4u * g);
        let seen0 = distance < vec4<u32>(select(0u, reachOf(batch, query0), query0 < T));
        let seen1 = distance + vec4<u32>(LANES) < vec4<u32>(select(0u, reachOf(batch, query1), query1 < T));
        s[0][g] = select(vec4<f32>(0.0), exp2(s[0][g] * (scale * LOG2E) - lse0), seen0);
        s[1][g] = select(vec4<f32>(0.0), exp2(s[1][g] * (scale * LOG2E) - lse1), seen1);
        w[0][g] = s[0][g] * (w[0][g] - mean0);
        w[1][g] = s[1][g] * (w[1][g] - mean1);
      }
      for (var j = 0u; j < LANES; j++) {
        let row0 = queryIndex(batch, start + j, head);
        let row1 = queryIndex(batch, start + LANES + j, head);
        var q0 = Part();
        var q1 = Part();
        var d0 = Part();
        var d1 = Part();
        for (var c = 0u; c < COLUMNS; c++) {
          let quad = quadOf(chunk, lane, c);
          q0[c] = q[row0 + quad];
          q1[c] = q[row1 + quad];
          d0[c] = dOut[row0 + quad];
          d1[c] = dOut[row1 + quad];
        }
        for (var g = 0u; g < OWN; g++) {
          let s0 = subgroupShuffle(s[0][g], j);
          let s1 = subgroupShuffle(s[1][g], j);
          let w0 = subgroupShuffle(w[0][g], j);
          let w1 = subgroupShuffle(w[1][g], j);
          for (var c = 0u; c < COLUMNS; c++) {
            dValues[c][g] += outer(s0, d0[c]);
            dKeys[c][g] += outer(w0, q0[c]);
            dValues[c][g] += outer(s1, d1[c]);
            dKeys[c][g] += outer(w1, q1[c]);
          }
        }
      }
    }
  }
  for (var g = 0u; g < OWN; g++) {
    let first = tile + 4u * g;
    for (var c = 0u; c < COLUMNS; c++) {
      // The number of rows is not known to the compiler, which would copy the stores four times.
      let rows = select(0u, min(4u, T - min(first, T)), holds(chunk, lane, c));
      for (var i = 0u; i < rows; i++) {
        let at = keyIndex(batch, first + i, kvHead) + quadOf(chunk, lane, c);
        dK[at] = scale * rowOf(dKeys[c][g], i);
        dV[at] = rowOf(dValues[c][g], i);
      }
    }
  }
}
