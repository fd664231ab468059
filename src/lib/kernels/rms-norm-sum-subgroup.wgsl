// Sum over a row of rms-norm.wgsl where a workgroup is one subgroup and has one row: no workgroup memory, whose
// barriers cost a CPU adapter more than the rest of the kernel. Shuffles, so that the order is known. LANES is 4 or 8.
fn rowSum(mine: f32, lane: vec3<u32>) -> f32 {
  let pairs = mine + subgroupShuffleXor(mine, 1u);
  let fours = pairs + subgroupShuffleXor(pairs, 2u);
  if (LANES == 4u) {
    return fours;
  }
  return fours + subgroupShuffleXor(fours, 4u);
}
