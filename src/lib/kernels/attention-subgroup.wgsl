// Causal grouped-query attention, forward, in one subgroup; see attention-subgroup-shape.wgsl.
// q, out: (B * T, H * D)   k, v: (B * T, Hkv * D)   lse: (B, H, T), natural log-sum-exp of scaled scores
// out and lse are overwritten. Grid: tiles of queries x chunks of dimensions, heads, B.
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(SIZES) var<uniform> sizes: Sizes;

const HIDDEN = -1e30;

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
  let scale = bitcast<f32>(sizes.scale) * LOG2E;

  const hidden = vec4<f32>(HIDDEN);
  var maximum = array<vec4<f32>, OWN>(hidden, hidden, hidden, hidden);
  var total = array<vec4<f32>, OWN>();
  var results = Results();

  let begin = tile - min(tile, reachOf(batch, tile) - 1u);
  let end = min(T, tile + TILE);
  for (var start = begin; start < end; start += TILE) {
    let key0 = keyIndex(batch, start + lane, kvHead);
    let key1 = keyIndex(batch, start + LANES + lane, kvHead);
    // Written out: Dawn's compiler (webgpu 0.6.2) does not clear a variable without a value again in each round.
    var s = Scores();
    for (var d = 0u; d < sizes.quads; d++) {
      let own = ownRows(q[low + d], q[high + d]);
      let a = k[key0 + d];
      let b = k[key1 + d];
      for (var g = 0u; g < OWN; g++) {
        s[0][g] += a * own[g];
        s[1][g] += b * own[g];
      }
    }
    for (var g = 0u; g < OWN; g++) {
      // A key after the query wraps around to a large distance.
      let distance = four(tile + 4u * g) - vec4<u32>(start + lane);
      let reach = reachOfFour(batch, tile + 4u * g);
      let seen0 = distance < reach;
      let seen1 = distance - vec4<u32>(LANES) < reach;
      let s0 = select(vec4<f32>(HIDDEN), s[0][g] * scale, seen0);
      let s1 = select(vec4<f32>(HIDDEN), s[1][g] * scale, seen1);
      let before = maximum[g];
      maximum[g] = max(before, subgroupMax(max(s0, s1)));
      s[0][g] = select(vec4<f32>(0.0), exp2(s0 - maximum[g]), seen0);
      s[1][g] = select(vec4<f32>(0.0), exp2(s1 - maximum[g]), seen1);
      let shrink = exp2(before - maximum[g]);
      // Of this lane's keys alone; lanes are added up at the end.
      total[g] = total[g] * shrink + (s[0][g] + s[1][g]);
      for (var c = 0u; c < COLUMNS; c++) {
        let r = results[c][g];
        results[c][g] = mat4x4<f32>(r[0] * shrink.x, r[1] * shrink.y, r[2] * shrink.z, r[3] * shrink.w);
      }
    }
    for (var j = 0u; j < LANES; j++) {
      let row0 = keyIndex(batch, start + j, kvHead);
      let row1 = keyIndex(batch, start + LANES + j, kvHead);
      var a = Part();
      var b = Part();
      for (var c = 0u; c < COLUMNS; c++) {
        a[c] = v[row0 + quadOf(chunk, lane, c)];
        b[c] = v[row1 + quadOf(chunk, lane, c)];
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
    let sum = subgroupAdd(total[g]);
    let first = tile + 4u * g;
    for (var c = 0u; c < COLUMNS; c++) {
      // The number of rows is not known to the compiler, which would copy the stores four times.
      let rows = select(0u, min(4u, T - min(first, T)), holds(chunk, lane, c));
      for (var i = 0u; i < rows; i++) {
        out[queryIndex(batch, first + i, head) + quadOf(chunk, lane, c)] = rowOf(results[c][g], i) / sum[i];
      }
    }
    if (lane < min(4u, T - min(first, T)) && chunk == 0u) {
      lse[(batch * sizes.H + head) * T + first + lane] = (maximum[g][lane] + log2(sum[lane])) * LN2;
    }
  }
}
