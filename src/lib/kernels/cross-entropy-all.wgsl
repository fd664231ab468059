// What the threads of a row of cross-entropy-softmax.wgsl have seen, through workgroup memory, in a tree.
var<workgroup> seen: array<Seen, THREADS>;

fn allOf(mine: Seen, thread: u32) -> Seen {
  seen[thread] = mine;
  for (var width = sizes.halfThreads; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (thread < width) {
      seen[thread] = merged(seen[thread], seen[thread + width]);
    }
  }
  workgroupBarrier();
  return seen[0];
}
