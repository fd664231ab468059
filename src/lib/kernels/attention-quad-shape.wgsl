// What the quad variant of attention adds to attention-shape.wgsl. For CPU adapters with subgroups of exactly 4 lanes
// (SwiftShader), where a load costs as much as twenty multiplications, and one from workgroup memory little less.
// A workgroup is one subgroup and owns 4 rows of one head; it streams the rows of the other side 16 at a time. A lane
// loads one own row, which goes round by quad broadcasts, and scores four streamed rows against the four; then it
// holds 8 dimensions of the 4 results. Wider heads are done in chunks of 32 dimensions, each of which computes the
// scores anew. Nothing is indexed by a number that is known only later: that would be a load too.
const LANES = 4u;
// Own rows.
const OWN = 4u;
// Streamed rows of a turn.
const TILE = 16u;
// Quads of dimensions that a lane holds.
const COLUMNS = 2u;

fn chunkCount() -> u32 {
  return (sizes.quads + LANES * COLUMNS - 1u) / (LANES * COLUMNS);
}

// Quads of a row that a lane holds; past the end of the row the last one, which is not stored.
fn quadOf(chunk: u32, lane: u32, column: u32) -> u32 {
  return min((chunk * COLUMNS + column) * LANES + lane, sizes.quads - 1u);
}
fn holds(chunk: u32, lane: u32, column: u32) -> bool {
  return (chunk * COLUMNS + column) * LANES + lane < sizes.quads;
}

// What each lane holds, for all.
fn fourRows(row: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    quadBroadcast(row, 0u),
    quadBroadcast(row, 1u),
    quadBroadcast(row, 2u),
    quadBroadcast(row, 3u),
  );
}
fn fourOf(x: f32) -> vec4<f32> {
  return vec4<f32>(quadBroadcast(x, 0u), quadBroadcast(x, 1u), quadBroadcast(x, 2u), quadBroadcast(x, 3u));
}

fn columnOf(m: mat4x4<f32>, i: u32) -> vec4<f32> {
  var column = m[0];
  column = select(column, m[1], i == 1u);
  column = select(column, m[2], i == 2u);
  return select(column, m[3], i == 3u);
}

// Results of the 4 own rows after 4 streamed rows more, of which column l of weights has the weights for own rows.
fn addStreamed(results: mat4x4<f32>, weights: mat4x4<f32>, rows: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    addChain(results[0], weights[0].x, weights[1].x, weights[2].x, weights[3].x, rows),
    addChain(results[1], weights[0].y, weights[1].y, weights[2].y, weights[3].y, rows),
    addChain(results[2], weights[0].z, weights[1].z, weights[2].z, weights[3].z, rows),
    addChain(results[3], weights[0].w, weights[1].w, weights[2].w, weights[3].w, rows),
  );
}

fn addChain(before: vec4<f32>, w0: f32, w1: f32, w2: f32, w3: f32, rows: mat4x4<f32>) -> vec4<f32> {
  return before + w0 * rows[0] + w1 * rows[1] + w2 * rows[2] + w3 * rows[3];
}
