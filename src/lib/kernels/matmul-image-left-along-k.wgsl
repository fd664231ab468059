// Eight rows of a left image whose rows lie along k (a as it is; K and its row stride multiples of 8): lane i loads
// eight steps of row i.

// First element of this lane's row of those from `row` on. The image starts at the first that takes part.
fn lanePlace(row: u32, lane: u32) -> u32 {
  return (row + lane) * sizes.aRowStride;
}

fn loadOctet(place: u32, k: u32, lane: u32) -> Eight {
  return Eight(leftFour(place + k), leftFour(place + k + 4u));
}

fn addOctet(first: u32, left: Eight, right: EightSteps) {
  addRow(first, subgroupShuffle(left.low, 0u), subgroupShuffle(left.high, 0u), right);
  addRow(first + 1u, subgroupShuffle(left.low, 1u), subgroupShuffle(left.high, 1u), right);
  addRow(first + 2u, subgroupShuffle(left.low, 2u), subgroupShuffle(left.high, 2u), right);
  addRow(first + 3u, subgroupShuffle(left.low, 3u), subgroupShuffle(left.high, 3u), right);
  addRow(first + 4u, subgroupShuffle(left.low, 4u), subgroupShuffle(left.high, 4u), right);
  addRow(first + 5u, subgroupShuffle(left.low, 5u), subgroupShuffle(left.high, 5u), right);
  addRow(first + 6u, subgroupShuffle(left.low, 6u), subgroupShuffle(left.high, 6u), right);
  addRow(first + 7u, subgroupShuffle(left.low, 7u), subgroupShuffle(left.high, 7u), right);
}
