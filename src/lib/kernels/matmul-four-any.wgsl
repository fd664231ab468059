// Four rows for matmul-quad.wgsl, of a left matrix of any strides: four loads take 4 steps of k, zeros after the end of
// K. Lane i loads row i.

// Where this lane's part of the four rows at `row` starts.
fn fourPlace(row: u32, rows: u32, lane: u32) -> u32 {
  return sizes.aOffset + min(row + lane, rows - 1u) * sizes.aRowStride;
}

fn fourStep() -> u32 {
  return sizes.aColumnStride;
}

// Column i of the result: row i at the four steps.
fn loadFour(place: u32, step: u32, k: u32, end: u32, lane: u32) -> mat4x4<f32> {
  let ks = k + vec4<u32>(0u, 1u, 2u, 3u);
  let index = place + min(ks, vec4<u32>(end - 1u)) * step;
  let values = vec4<f32>(a[index.x], a[index.y], a[index.z], a[index.w]);
  let own = select(vec4<f32>(), values, ks < vec4<u32>(end));
  return mat4x4<f32>(
    quadBroadcast(own, 0u),
    quadBroadcast(own, 1u),
    quadBroadcast(own, 2u),
    quadBroadcast(own, 3u),
  );
}
