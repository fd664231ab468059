// Right image whose rows lie along its columns (a weight (K, N); N a multiple of a texel's elements), in panels:
// as many columns as bRowStride at each step of k, and bColumnStride elements from one panel to the next. As it is, it is
// one panel, of bRowStride N, and columns beyond N are those from 0 on.

// Where the four columns from n on start. Lanes beyond N load what lies there, and store nothing.
fn rightPlace(n: u32) -> vec4<u32> {
  return vec4<u32>(n / sizes.bRowStride * sizes.bColumnStride + n % sizes.bRowStride);
}

fn loadRight(place: vec4<u32>, k: u32) -> EightSteps {
  let step = sizes.bRowStride;
  let element = place.x + k * step;
  return EightSteps(fourSteps(element, step), fourSteps(element + 4u * step, step));
}
