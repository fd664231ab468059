// Right-hand matrix in f16, two in a word, the first in the low half. `index` counts elements.
alias WeightWord = u32;

fn weightElement(index: u32) -> f32 {
  let pair = unpack2x16float(b[index >> 1u]);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}
