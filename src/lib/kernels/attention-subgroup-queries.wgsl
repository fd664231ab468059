// Causal grouped-query attention, gradient of the queries, in one subgroup; see attention-subgroup-shape.wgsl.
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

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(subgroup_invocation_id) lane: u32) {
  let T = sizes.T;
  let chunks = chunkCount();
  let head = group.y;
  let batch = group.z;
  let kvHead = head / (sizes.H / sizes.Hkv);
  let tile = (groups.x / chunks - 1u - group.x / chunks) * TILE;
  let chunk = group.x % chunks;
  let low = queryIndex(batch, tile + lane, head);
  let high = queryIndex(batch, tile + LANES + lane, head);
  let scale = bitcast<f32>(sizes.scale);
  let statistics = (batch * sizes.H + head) * T;
  let lowRow = statistics + min(tile + lane, T - 1u);
  let highRow = statistics + min(tile + LANES + lane, T - 1u);
  let lse2 = fours(LOG2E * lse[lowRow], LOG2E * lse[highRow]);
  let means = fours(delta[lowRow], delta[highRow]);

  var results = Results();
  let begin = tile - min(tile, reachOf(batch, tile) - 1u);
  let end = min(T, tile + TILE);
  for (var start = begin; start < end; start += TILE) {
    let key0 = keyIndex(batch, start + lane, kvHead);
    let key1 = keyIndex(batch, start + LANES + lane, kvHead);
    // Written out: Dawn's compiler (webgpu 0.6.2) does not clear a variable without a value again in each round.
    var s = Scores();
    var w = Scores();
    for (var d = 0u; d < sizes.quads; d++) {
      let own = ownRows(q[low + d], q[high + d]);
      let ownD = ownRows(dOut[low + d], dOut[high + d]);
      let k0 = k[key0 + d];
      let k1 = k[key1 + d];
      let v0 = v[key0 + d];
      let v1 = v[key1 + d];
      for (var g = 0u; g < OWN; g++) {
        s[0][g] += k0 * own[g];
        s[1][g] += k1 * own[g];
        w[0][g] += v0 * ownD[g];
        w[1][g] += v1 * ownD[g];
      }
    }
    for (var g = 0u; g < OWN; g++) {
      // A key after the query wraps around to a large distance.
      let distance = four(tile + 4u * g) - vec4<u32>(start + lane);
      let reach = reachOfFour(batch, tile + 4u * g);
      let seen0 = distance < reach;
      let seen1 = distance - vec4<u32>(LANES) < reach;
      s[0][g] = select(vec4<f32>(0.0), exp2(s[0][g] * (scale * LOG2E) - lse2[g]) * (w[0][g] - means[g]), seen0);
      s[1][g] = select(vec4<f32>(0.0), exp2(s[1][g] * (scale * LOG2E) - lse2[g]) * (w[1][g] - means[g]), seen1);
    }
    for (var j = 0u; j < LANES; j++) {
      let row0 = keyIndex(batch, start + j, kvHead);
      let row1 = keyIndex(batch, start + LANES + j, kvHead);
      var a = Part();
      var b = Part();
      for (var c = 0u; c < COLUMNS; c++) {
        a[c] = k[row0 + quadOf(chunk, lane, c)];
        b[c] = k[row1 + quadOf(chunk, lane, c)];
      }
      for (var g = 0u; g < OWN; g++) {
        let p0 = subgroupShuffle(s[0][g], j);
        let p1 = subgroupShuffle(s[1][g], j);
        for (var c = 0u; c < COLUMNS; c++) {
          results[c][g] += outer(p0, a[c]);
          results[c][g] += outer(p1, b[c]);
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
        dQ[queryIndex(batch, first + i, head) + quadOf(chunk, lane, c)] = scale * rowOf(results[c][g], i);
      }
    }
  }
}
