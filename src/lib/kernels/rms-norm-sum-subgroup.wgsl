// Sum over a row of rms-norm.wgsl where a workgroup is one subgroup and has one row: no workgroup memory, whose
// barriers cost a CPU adapter more than the rest of the kernel. Shuffles, so that the order is known. LANES is a power of
// two from 4 to 64.
fn rowSum(mine: f32, lane: vec3<u32>) -> f32 {
  var sum = mine + subgroupShuffleXor(mine, 1u);
  sum += subgroupShuffleXor(sum, 2u);
  if (LANES > 4u) { sum += subgroupShuffleXor(sum, 4u); }
  if (LANES > 8u) { sum += subgroupShuffleXor(sum, 8u); }
  if (LANES > 16u) { sum += subgroupShuffleXor(sum, 16u); }
  if (LANES > 32u) { sum += subgroupShuffleXor(sum, 32u); }
  return sum;
}
