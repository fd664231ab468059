// Tiles of matmul-tiled.wgsl in f16: half the workgroup memory, which is what bounds the kernel. A product of two f16 is
// exact in f32, where the sums are, so all that is lost is the rounding of the operands. What f16 cannot hold becomes
// the largest that it can: WGSL does not say what a conversion out of range gives.
alias TileQuad = vec4<f16>;

const LARGEST_F16 = 65504.0;

fn toTile(values: vec4<f32>) -> TileQuad {
  return vec4<f16>(clamp(values, vec4<f32>(-LARGEST_F16), vec4<f32>(LARGEST_F16)));
}
