// Results of any strides: elements are stored one by one.
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

// Stores the part of a quad that lies inside the matrix.
fn storeQuad(rows: u32, row: u32, column: u32, plane: u32, sum: vec4<f32>, offset: vec4<f32>) {
  let values = bitcast<f32>(sizes.alpha) * sum + offset;
  let start = plane * sizes.planeStride + sizes.outOffset + row * sizes.outRowStride;
  for (var j = 0u; j < sizes.quadColumns; j++) {
    if (row < rows && column + j < sizes.N) {
      let index = start + (column + j) * sizes.outColumnStride;
      var value = select(select(values.x, values.y, j == 1u), select(values.z, values.w, j == 3u), j >= 2u);
      for (var i = 0u; i < sizes.accumulateTimes; i++) {
        value += out[index];
      }
      out[index] = value;
    }
  }
}
