// Elements of b where they are 16 bits wide; after a weight's prelude and matmul-image-texels.wgsl. A texel holds eight.

fn rightWords(element: u32) -> vec4<u32> {
  let texel = element / 8u;
  return textureLoad(bImage, texelPlace(texel), texelLayer(texel));
}

// Eight elements from a multiple of 8 on.
fn rightEight(element: u32) -> Eight {
  let words = rightWords(element);
  return Eight(weightFour(words.xy), weightFour(words.zw));
}

struct TwoSteps {
  first: vec4<f32>,
  second: vec4<f32>,
}

// Four elements from `element` on, a multiple of 4, and as many `step` later. This lane and its neighbour want the
// halves of the same two texels: each loads one and they exchange halves.
fn twoSteps(element: u32, step: u32) -> TwoSteps {
  let isUpper = (element & 4u) == 4u;
  let own = rightWords(select(element, element + step, isUpper));
  let given = subgroupShuffleXor(select(own.zw, own.xy, isUpper), 1u);
  return TwoSteps(weightFour(select(own.xy, given, isUpper)), weightFour(select(given, own.zw, isUpper)));
}

// Column q of the result: four elements from `element` on, q steps later.
fn fourSteps(element: u32, step: u32) -> mat4x4<f32> {
  let early = twoSteps(element, step);
  let late = twoSteps(element + 2u * step, step);
  return mat4x4<f32>(early.first, early.second, late.first, late.second);
}
