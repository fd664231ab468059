// As matmul-block-elements.wgsl, where neighbours in a column of b share a word: half the loads.
// Needs a row stride of 1 and an even column length.
fn bBlock(rows: vec4<u32>, columns: vec4<u32>) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(
    bColumn(rows, columns.x),
    bColumn(rows, columns.y),
    bColumn(rows, columns.z),
    bColumn(rows, columns.w),
  ));
}

fn bColumn(rows: vec4<u32>, column: u32) -> vec4<f32> {
  return vec4<f32>(weightPair((column + rows.x) & ~1u), weightPair((column + rows.z) & ~1u));
}
