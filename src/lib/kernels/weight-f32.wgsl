// Right-hand matrix in f32. `index` counts elements.
alias WeightWord = f32;

fn weightElement(index: u32) -> f32 {
  return b[index];
}
