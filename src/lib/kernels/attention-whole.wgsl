// Rows that hold one sequence each; to be put after attention-shape.wgsl. See attention-segments.wgsl.
fn reachOf(batch: u32, query: u32) -> u32 {
  return sizes.window;
}

fn reachOfFour(batch: u32, query: u32) -> vec4<u32> {
  return vec4<u32>(sizes.window);
}

fn isPast(batch: u32, query: u32, key: u32) -> bool {
  return false;
}
