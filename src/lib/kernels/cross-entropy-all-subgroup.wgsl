// What the threads of a row of cross-entropy-softmax.wgsl have seen, by shuffles in subgroups of LANES, a power of two from
// 4 to 64, and then, where a row has several of them, through workgroup memory in their order. That they lie in the order
// of threads is not in WGSL's text, but is so of workgroups with one dimension on every driver.
override LANES: u32;
override SUBGROUPS: u32 = THREADS / LANES;

var<workgroup> seen: array<Seen, SUBGROUPS>;

fn across(mine: Seen, distance: u32) -> Seen {
  let other = Seen(
    subgroupShuffleXor(mine.largest, distance),
    subgroupShuffleXor(mine.place, distance),
    subgroupShuffleXor(mine.sum, distance),
    subgroupShuffleXor(mine.total, distance),
  );
  return merged(mine, other);
}

fn allOf(mine: Seen, thread: u32) -> Seen {
  var all = across(across(mine, 1u), 2u);
  if (LANES > 4u) { all = across(all, 4u); }
  if (LANES > 8u) { all = across(all, 8u); }
  if (LANES > 16u) { all = across(all, 16u); }
  if (LANES > 32u) { all = across(all, 32u); }
  if (SUBGROUPS == 1u) { return all; }
  if (thread % LANES == 0u) { seen[thread / LANES] = all; }
  workgroupBarrier();
  all = seen[0];
  for (var i = 1u; i < SUBGROUPS; i++) { all = merged(all, seen[i]); }
  return all;
}
