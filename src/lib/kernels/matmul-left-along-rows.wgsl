// Left matrix whose columns lie along its rows (a transposed; M and its k stride multiples of 4): one load takes
// 4 rows at one k.
@group(0) @binding(0) var<storage, read> aQuads: array<vec4<f32>>;

// Where the four rows from m on start. M is a multiple of 4, so a quad is whole or outside.
fn leftPlace(m: u32, rows: u32) -> vec4<u32> {
  return vec4<u32>((sizes.aOffset + min(m, rows - 4u)) / 4u);
}

fn leftStep() -> u32 {
  return sizes.aColumnStride / 4u;
}

fn leftColumn(place: u32, step: u32, k: u32, end: u32) -> vec4<f32> {
  return select(vec4<f32>(), aQuads[place + min(k, end - 1u) * step], k < end);
}

// Column q of the result: the four rows of a at k + q, zeros after the end of K.
fn loadLeft(place: vec4<u32>, step: u32, k: u32, end: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    leftColumn(place.x, step, k, end),
    leftColumn(place.x, step, k + 1u, end),
    leftColumn(place.x, step, k + 2u, end),
    leftColumn(place.x, step, k + 3u, end),
  );
}
