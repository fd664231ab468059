// What the subgroup variant of attention adds to attention-shape.wgsl. For CPU adapters with subgroups of exactly
// 8 lanes (lavapipe): they gather loads lane by lane and are slower still in workgroup memory, so that a load costs
// as much as ten multiplications. A workgroup is one subgroup and owns 16 rows of one head; it streams the rows of
// the other side 16 at a time. A lane scores two streamed rows against all own rows, which go round by shuffles;
// then it holds 4 dimensions of the 16 results. Heads wider than 32 are done in chunks of 32 dimensions, each of
// which computes the scores anew. Loops over OWN unroll, so that arrays are registers.
const LANES = 8u;
// Fours of own rows.
const OWN = 4u;
// Streamed rows a lane scores.
const STREAMED = 2u;
// Rows of a tile, own and streamed.
const TILE = 16u;

alias Scores = array<array<vec4<f32>, OWN>, STREAMED>;
alias Results = array<mat4x4<f32>, OWN>;

fn chunkCount() -> u32 {
  return (sizes.quads + LANES - 1u) / LANES;
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
fn ownRows(low: vec4<f32>, high: vec4<f32>) -> Results {
  return Results(fourRows(low, 0u), fourRows(low, 4u), fourRows(high, 0u), fourRows(high, 4u));
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
