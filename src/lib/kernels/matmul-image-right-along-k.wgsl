// Right image whose columns lie along k (a weight (N, K); K a multiple of 8).

// Where the four columns from n on start.
fn rightPlace(n: u32) -> vec4<u32> {
  return (n + vec4<u32>(0u, 1u, 2u, 3u)) * sizes.bColumnStride;
}

fn loadRight(place: vec4<u32>, k: u32) -> EightSteps {
  let column0 = rightEight(place.x + k);
  let column1 = rightEight(place.y + k);
  let column2 = rightEight(place.z + k);
  let column3 = rightEight(place.w + k);
  return EightSteps(
    transpose(mat4x4<f32>(column0.low, column1.low, column2.low, column3.low)),
    transpose(mat4x4<f32>(column0.high, column1.high, column2.high, column3.high)),
  );
}
