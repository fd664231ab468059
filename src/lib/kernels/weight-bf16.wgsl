// Right-hand matrix in bf16, two in a word, the first in the low half. `index` counts elements.
// A bf16 is the upper half of an f32.
alias WeightWord = u32;

fn weightElement(index: u32) -> f32 {
  let word = b[index >> 1u];
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (index & 1u) == 1u));
}
