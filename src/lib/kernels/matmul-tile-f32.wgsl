// Tiles of matmul-tiled.wgsl in f32: as they were loaded.
alias TileQuad = vec4<f32>;

fn toTile(values: vec4<f32>) -> TileQuad {
  return values;
}
