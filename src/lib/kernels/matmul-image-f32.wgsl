// Elements of b where they are f32; after matmul-image-texels.wgsl. A texel holds four.

// Four elements from a multiple of 4 on.
fn rightFour(element: u32) -> vec4<f32> {
  let texel = element / 4u;
  return bitcast<vec4<f32>>(textureLoad(bImage, texelPlace(texel), texelLayer(texel)));
}

fn rightEight(element: u32) -> Eight {
  return Eight(rightFour(element), rightFour(element + 4u));
}

// Column q of the result: four elements from `element` on, q steps later.
fn fourSteps(element: u32, step: u32) -> mat4x4<f32> {
  return mat4x4<f32>(
    rightFour(element),
    rightFour(element + step),
    rightFour(element + 2u * step),
    rightFour(element + 3u * step),
  );
}
