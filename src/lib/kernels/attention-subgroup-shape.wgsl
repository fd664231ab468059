// What the subgroup variant of attention adds to attention-shape.wgsl. For CPU adapters with subgroups of exactly
// 8 lanes (lavapipe): they gather loads lane by lane and are slower still in workgroup memory, so that a load costs
// as much as ten multiplications. A workgroup is one subgroup and owns 16 rows of one head; it streams the rows of
// the other side 16 at a time. A lane scores two streamed rows against all own rows, which go round by shuffles;
// then it holds 4 * COLUMNS dimensions of the 16 results. Wider heads are done in chunks of 32 * COLUMNS dimensions,
// each of which computes the scores anew. Loops over OWN and COLUMNS unroll, so that arrays have fixed places.
// Before this text: COLUMNS, quads of dimensions a lane holds.
const LANES = 8u;
// Fours of own rows.
const OWN = 4u;
// Streamed rows a lane scores.
const STREAMED = 2u;
// Rows of a tile, own and streamed.
const TILE = 16u;

alias Scores = array<array<vec4<f32>, OWN>, STREAMED>;
alias Rows = array<mat4x4<f32>, OWN>;
alias Results = array<Rows, COLUMNS>;
// Of one row, what a lane holds.
alias Part = array<vec4<f32>, COLUMNS>;

fn chunkCount() -> u32 {
  return (sizes.quads + LANES * COLUMNS - 1u) / (LANES * COLUMNS);
}

// Quads of a row that a lane holds; past the end of the row the last one, which is not stored.
fn quadOf(chunk: u32, lane: u32, c: u32) -> u32 {
  return min((chunk * COLUMNS + c) * LANES + lane, sizes.quads - 1u);
}
fn holds(chunk: u32, lane: u32, c: u32) -> bool {
  return (chunk * COLUMNS + c) * LANES + lane < sizes.quads;
}

// Rows that lanes first .. first + 3 hold.
fn fourRows(row: vec4<f32>, first: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    subgroupShuffle(row, first),
    subgroupShuffle(row, first + 1u),
    subgroupShuffle(row, first + 2u),
    subgroupShuffle(row, first + 3u),
  );
}

// The 16 own rows, from the two that each lane holds.
fn ownRows(low: vec4<f32>, high: vec4<f32>) -> Rows {
  return Rows(fourRows(low, 0u), fourRows(low, 4u), fourRows(high, 0u), fourRows(high, 4u));
}

// Numbers that lanes first .. first + 3 hold.
fn fourOf(x: f32, first: u32) -> vec4<f32> {
  return vec4<f32>(
    subgroupShuffle(x, first),
    subgroupShuffle(x, first + 1u),
    subgroupShuffle(x, first + 2u),
    subgroupShuffle(x, first + 3u),
  );
}

// A number of each of the 16 own rows, from the two that each lane holds.
fn fours(low: f32, high: f32) -> array<vec4<f32>, OWN> {
  return array<vec4<f32>, OWN>(fourOf(low, 0u), fourOf(low, 4u), fourOf(high, 0u), fourOf(high, 4u));
}

fn outer(weights: vec4<f32>, row: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(weights.x * row, weights.y * row, weights.z * row, weights.w * row);
}

fn rowOf(rows: mat4x4<f32>, i: u32) -> vec4<f32> {
  var row = rows[0];
  row = select(row, rows[1], i == 1u);
  row = select(row, rows[2], i == 2u);
  return select(row, rows[3], i == 3u);
}
