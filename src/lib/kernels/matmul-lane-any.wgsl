// What a lane loads of a left matrix of any strides: four loads take 4 steps of k of its own row, zeros after the end of K.
// For the variants whose lanes share rows; after this text, how they do.

// Where this lane's row of those from `row` on starts.
fn lanePlace(row: u32, rows: u32, lane: u32) -> u32 {
  return sizes.aOffset + min(row + lane, rows - 1u) * sizes.aRowStride;
}

fn laneStep() -> u32 {
  return sizes.aColumnStride;
}

fn loadLane(place: u32, step: u32, k: u32, end: u32, lane: u32) -> vec4<f32> {
  let ks = k + vec4<u32>(0u, 1u, 2u, 3u);
  let index = place + min(ks, vec4<u32>(end - 1u)) * step;
  let values = vec4<f32>(a[index.x], a[index.y], a[index.z], a[index.w]);
  return select(vec4<f32>(), values, ks < vec4<u32>(end));
}
