// As matmul-block-elements.wgsl, where neighbours in a row of b share a word: half the loads.
// Needs a column stride of 1 and an even row length; a clamped last pair stays a pair because
// columns are clamped in twos.
fn bBlock(rows: vec4<u32>, columns: vec4<u32>) -> mat4x4<f32> {
  return mat4x4<f32>(
    bRow(rows.x, columns),
    bRow(rows.y, columns),
    bRow(rows.z, columns),
    bRow(rows.w, columns),
  );
}

fn bRow(row: u32, columns: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(weightPair((row + columns.x) & ~1u), weightPair((row + columns.z) & ~1u));
}
