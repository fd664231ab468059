// Right-hand matrix in f32. `index` counts elements.
alias WeightWord = f32;

fn weightElement(index: u32) -> f32 {
  return b[index];
}

// Elements index and index + 1.
fn weightPair(index: u32) -> vec2<f32> {
  return vec2<f32>(b[index], b[index + 1u]);
}
