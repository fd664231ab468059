// Operands as images (src/lib/gpu/image.ts) for matmul-image.wgsl: four f32 a texel, or eight elements of 16 bits.
// Before this text: IMAGE_WIDTH_BITS, IMAGE_HEIGHT_BITS.
@group(0) @binding(0) var aImage: texture_storage_2d_array<rgba32uint, read>;
@group(0) @binding(1) var bImage: texture_storage_2d_array<rgba32uint, read>;

fn texelPlace(texel: u32) -> vec2<u32> {
  let row = texel >> IMAGE_WIDTH_BITS;
  return vec2<u32>(texel & ((1u << IMAGE_WIDTH_BITS) - 1u), row & ((1u << IMAGE_HEIGHT_BITS) - 1u));
}

fn texelLayer(texel: u32) -> u32 {
  return texel >> (IMAGE_WIDTH_BITS + IMAGE_HEIGHT_BITS);
}

// Four elements of a from a multiple of 4 on.
fn leftFour(element: u32) -> vec4<f32> {
  let texel = element / 4u;
  return bitcast<vec4<f32>>(textureLoad(aImage, texelPlace(texel), texelLayer(texel)));
}

struct Eight {
  low: vec4<f32>,
  high: vec4<f32>,
}

// Column q of low: four columns of b at k + q; of high, at k + 4 + q.
struct EightSteps {
  low: mat4x4<f32>,
  high: mat4x4<f32>,
}
