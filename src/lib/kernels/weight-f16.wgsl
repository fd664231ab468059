// A weight stored in f16, two in a word, the first in the low half: the word that holds element `index`,
// and its value.
alias WeightWord = u32;

fn weightPlace(index: u32) -> u32 {
  return index >> 1u;
}

fn weightValue(word: WeightWord, index: u32) -> f32 {
  let pair = unpack2x16float(word);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}

// Four elements that lie together.
alias WeightFour = vec2<u32>;

fn weightFour(words: WeightFour) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}
