// Left matrix of any strides: sixteen loads take 4 steps of k of four rows, zeros after the end of K.

// Where the four rows from m on start.
fn leftPlace(m: u32, rows: u32) -> vec4<u32> {
  return sizes.aOffset + min(m + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(rows - 1u)) * sizes.aRowStride;
}

fn leftStep() -> u32 {
  return sizes.aColumnStride;
}

fn leftColumn(place: vec4<u32>, step: u32, k: u32, end: u32) -> vec4<f32> {
  let index = place + min(k, end - 1u) * step;
  return select(vec4<f32>(), vec4<f32>(a[index.x], a[index.y], a[index.z], a[index.w]), k < end);
}

// Column q of the result: the four rows of a at k + q.
fn loadLeft(place: vec4<u32>, step: u32, k: u32, end: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    leftColumn(place, step, k, end),
    leftColumn(place, step, k + 1u, end),
    leftColumn(place, step, k + 2u, end),
    leftColumn(place, step, k + 3u, end),
  );
}
