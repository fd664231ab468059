// Rows that hold several sequences one after the other; to be put after attention-shape.wgsl, with FIRST_KEYS, the
// binding of the table. A query sees no key before the first of its own sequence.
// firstKeys: (B * T), counted within the row; never falls from one query of a row to the next.
@group(0) @binding(FIRST_KEYS) var<storage, read> firstKeys: array<u32>;

fn firstKeyOf(batch: u32, query: u32) -> u32 {
  return firstKeys[batch * sizes.T + min(query, sizes.T - 1u)];
}

// A query sees its own key and those before it, so many in all; never 0.
fn reachOf(batch: u32, query: u32) -> u32 {
  return min(sizes.window, query - firstKeyOf(batch, query) + 1u);
}

fn reachOfFour(batch: u32, query: u32) -> vec4<u32> {
  return vec4<u32>(
    reachOf(batch, query),
    reachOf(batch, query + 1u),
    reachOf(batch, query + 2u),
    reachOf(batch, query + 3u),
  );
}

// Whether this query and all after it belong to sequences that begin after the key.
fn isPast(batch: u32, query: u32, key: u32) -> bool {
  return firstKeyOf(batch, query) > key;
}
