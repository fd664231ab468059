// Softmax cross-entropy of a chunk of rows, against a target distribution that is 1 - smoothing on the target
// and smoothing spread over all V. One workgroup a row; sums in f32, in a fixed order.
// logits: (chunkRows, V), becomes (softmax - target distribution) * step.lossScale where gradientTimes is 1.
// loss, correct: (N), written at first + row; 0 at and after step.targetCount.
// targets: (N). A target outside 0 .. V - 1 makes the loss and the gradient of its row NaN.
// A thread takes a Pack of columns at a time: a software adapter loads four that lie together in half the time.
// Before this text: Pack, its COLUMNS, joined and partOf; markCorrect(row, value), and `sizes` at the binding after it.
// After it: allOf, what the threads of a row have seen together.
struct Sizes {
  V: u32,
  // Compacted row that is row 0 of this chunk.
  first: u32,
  // 1 to write the gradient, else 0: a loop of no turns costs nothing on any adapter.
  gradientTimes: u32,
  // Half of THREADS: a bound that the compiler is not to see, or it unrolls the barriers.
  halfThreads: u32,
  // Bits of f32, from 0 to 1.
  smoothing: u32,
}

@group(0) @binding(0) var<storage, read> targets: array<i32>;
@group(0) @binding(1) var<storage, read> step: StepState;
@group(0) @binding(2) var<storage, read_write> logits: array<Pack>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;

// Threads of a row.
override THREADS: u32;
const LOWEST = -3.4028234e38;
const NAN_BITS = 0x7fc00000u;

// Of the logits seen so far: the largest, where it is first, the sum of exp(logit - largest), and their sum.
struct Seen {
  largest: f32,
  place: u32,
  sum: f32,
  total: f32,
}

// The same whichever comes first.
fn merged(x: Seen, y: Seen) -> Seen {
  let largest = max(x.largest, y.largest);
  let yWins = y.largest > x.largest || (y.largest == x.largest && y.place < x.place);
  let sum = x.sum * exp(x.largest - largest) + y.sum * exp(y.largest - largest);
  return Seen(largest, select(x.place, y.place, yWins), sum, x.total + y.total);
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = sizes.first + group.x;
  if (row >= step.targetCount) {
    if (thread == 0u) {
      loss[row] = 0.0;
      markCorrect(row, 0u);
    }
    return;
  }
  let packs = sizes.V / PACK;
  let start = group.x * packs;
  // Of each column of a Pack.
  var largest = Pack(LOWEST);
  var place = PackBits(0xffffffffu);
  var sum = Pack(0.0);
  var total = Pack(0.0);
  for (var i = thread; i < packs; i += THREADS) {
    let x = logits[start + i];
    let above = x - largest;
    let e = exp(-abs(above));
    let isLarger = above > Pack(0.0);
    sum = select(sum + e, sum * e + Pack(1.0), isLarger);
    place = select(place, i * PACK + COLUMNS, isLarger);
    largest = select(largest, x, isLarger);
    total += x;
  }
  let all = allOf(joined(largest, place, sum, total), thread);
  let answer = u32(targets[row]);
  let isInside = answer < sizes.V;
  let smoothing = bitcast<f32>(sizes.smoothing);
  let share = smoothing / f32(sizes.V);
  if (thread == 0u) {
    let column = min(answer, sizes.V - 1u);
    let logit = partOf(logits[start + column / PACK], column % PACK);
    let expected = (1.0 - smoothing) * logit + share * all.total;
    let value = log(all.sum) + all.largest - expected;
    loss[row] = select(bitcast<f32>(NAN_BITS | step.targetCount), value, isInside);
    markCorrect(row, select(0u, 1u, all.place == answer));
  }
  // The target's logit has been read before it is overwritten.
  workgroupBarrier();
  let scale = select(bitcast<f32>(NAN_BITS | step.targetCount), step.lossScale, isInside);
  let factor = scale / all.sum;
  for (var turn = 0u; turn < sizes.gradientTimes; turn++) {
    for (var i = thread; i < packs; i += THREADS) {
      let p = exp(logits[start + i] - all.largest) * factor - share * scale;
      logits[start + i] = select(p, p - (1.0 - smoothing) * scale, i * PACK + COLUMNS == PackBits(answer));
    }
  }
}
