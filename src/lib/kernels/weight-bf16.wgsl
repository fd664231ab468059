// A weight stored in bf16, two in a word, the first in the low half: the word that holds element `index`,
// and its value. A bf16 is the upper half of an f32.
alias WeightWord = u32;

fn weightPlace(index: u32) -> u32 {
  return index >> 1u;
}

fn weightValue(word: WeightWord, index: u32) -> f32 {
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (index & 1u) == 1u));
}

// Four elements that lie together.
alias WeightFour = vec2<u32>;

fn weightFour(words: WeightFour) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(
    words.x << 16u,
    words.x & 0xffff0000u,
    words.y << 16u,
    words.y & 0xffff0000u,
  ));
}
