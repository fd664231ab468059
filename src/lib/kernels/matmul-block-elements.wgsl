// A block of b, 4 by 4: column j of the result is row rows[j] of b, over the four columns.
// `rows` and `columns` are offsets in elements, already multiplied by their strides.
fn bBlock(rows: vec4<u32>, columns: vec4<u32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    bRow(rows.x + columns),
    bRow(rows.y + columns),
    bRow(rows.z + columns),
    bRow(rows.w + columns),
  );
}

fn bRow(index: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(
    weightElement(index.x),
    weightElement(index.y),
    weightElement(index.z),
    weightElement(index.w),
  );
}
