// What a lane loads of a left matrix whose rows lie along k (a as it is; K and its row stride multiples of 4): 4 steps of
// k of its own row. For the variants whose lanes share rows; after this text, how they do.
@group(0) @binding(0) var<storage, read> aQuads: array<vec4<f32>>;

// Where this lane's row of those from `row` on starts.
fn lanePlace(row: u32, rows: u32, lane: u32) -> u32 {
  return (sizes.aOffset + min(row + lane, rows - 1u) * sizes.aRowStride) / 4u;
}

fn laneStep() -> u32 {
  return 0u;
}

fn loadLane(place: u32, step: u32, k: u32, end: u32, lane: u32) -> vec4<f32> {
  return aQuads[place + k / 4u];
}
