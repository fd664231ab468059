// A weight stored in f32: the word that holds element `index`, and its value.
alias WeightWord = f32;

fn weightPlace(index: u32) -> u32 {
  return index;
}

fn weightValue(word: WeightWord, index: u32) -> f32 {
  return word;
}

// Four elements that lie together.
alias WeightFour = vec4<f32>;

fn weightFour(words: WeightFour) -> vec4<f32> {
  return words;
}
