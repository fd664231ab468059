// Eight rows of a left image whose columns lie along its rows (a transposed; its k stride a multiple of 4): one texel
// holds 4 rows at one k. Lanes 2 q and 2 q + 1 load the two halves of the octet at k + q, then at k + 4 + q.
// In panels: as many rows as aColumnStride at each step of k, and aRowStride elements from one panel to the next.

fn lanePlace(row: u32, lane: u32) -> u32 {
  return row / sizes.aColumnStride * sizes.aRowStride + row % sizes.aColumnStride + (lane & 1u) * 4u;
}

fn loadOctet(place: u32, k: u32, lane: u32) -> Eight {
  let element = place + (k + (lane >> 1u)) * sizes.aColumnStride;
  return Eight(leftFour(element), leftFour(element + 4u * sizes.aColumnStride));
}

// Column i of the result: row i of a half at four steps.
fn halfOctet(held: vec4<f32>, half: u32) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(
    subgroupShuffle(held, half),
    subgroupShuffle(held, half + 2u),
    subgroupShuffle(held, half + 4u),
    subgroupShuffle(held, half + 6u),
  ));
}

fn addHalf(first: u32, low: mat4x4<f32>, high: mat4x4<f32>, right: EightSteps) {
  addRow(first, low[0], high[0], right);
  addRow(first + 1u, low[1], high[1], right);
  addRow(first + 2u, low[2], high[2], right);
  addRow(first + 3u, low[3], high[3], right);
}

fn addOctet(first: u32, left: Eight, right: EightSteps) {
  addHalf(first, halfOctet(left.low, 0u), halfOctet(left.high, 0u), right);
  addHalf(first + 4u, halfOctet(left.low, 1u), halfOctet(left.high, 1u), right);
}
