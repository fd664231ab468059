// Results whose rows lie together (N, the row stride and the offset multiples of 4): a quad is stored at once.
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;

// Stores a quad, which is whole or outside the matrix.
fn storeQuad(rows: u32, row: u32, column: u32, plane: u32, sum: vec4<f32>, offset: vec4<f32>) {
  if (row < rows && column < sizes.N) {
    let index = (plane * sizes.planeStride + sizes.outOffset + row * sizes.outRowStride + column) / 4u;
    var values = bitcast<f32>(sizes.alpha) * sum + offset;
    for (var i = 0u; i < sizes.accumulateTimes; i++) {
      values += out[index];
    }
    out[index] = values;
  }
}
