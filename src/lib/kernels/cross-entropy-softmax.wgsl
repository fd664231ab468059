// Softmax cross-entropy of a chunk of rows. One workgroup a row; sums in f32, in a fixed order.
// logits: (chunkRows, V), becomes (softmax - onehot(target)) * step.lossScale where WRITE_GRADIENT is 1.
// loss, correct: (N), written at first + row; 0 at and after step.targetCount.
// targets: (N). A target outside 0 .. V - 1 makes the loss and the gradient of its row NaN.
override WRITE_GRADIENT: u32 = 1u;

struct Sizes {
  V: u32,
  // Compacted row that is row 0 of this chunk.
  first: u32,
}

@group(0) @binding(0) var<storage, read> targets: array<i32>;
@group(0) @binding(1) var<storage, read> step: StepState;
@group(0) @binding(2) var<storage, read_write> logits: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
// Before this text: binding 4, 5 as `correct` and `sizes` or binding 4 as `sizes`, and markCorrect(row, value).

const THREADS = 64u;
const LOWEST = -3.4028234e38;

var<workgroup> values: array<f32, THREADS>;
var<workgroup> places: array<u32, THREADS>;

// The largest value of all invocations and its place; the lowest place wins a tie.
fn largest(thread: u32, value: f32, place: u32) -> vec2<u32> {
  values[thread] = value;
  places[thread] = place;
  for (var width = THREADS / 2u; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (thread < width) {
      let other = values[thread + width];
      let otherPlace = places[thread + width];
      if (other > values[thread] || (other == values[thread] && otherPlace < places[thread])) {
        values[thread] = other;
        places[thread] = otherPlace;
      }
    }
  }
  workgroupBarrier();
  let result = vec2<u32>(bitcast<u32>(values[0]), places[0]);
  workgroupBarrier();
  return result;
}

fn total(thread: u32, value: f32) -> f32 {
  values[thread] = value;
  for (var width = THREADS / 2u; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (thread < width) {
      values[thread] += values[thread + width];
    }
  }
  workgroupBarrier();
  return values[0];
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
  let start = group.x * sizes.V;
  var best = LOWEST;
  var place = 0u;
  for (var v = thread; v < sizes.V; v += THREADS) {
    let x = logits[start + v];
    if (x > best) {
      best = x;
      place = v;
    }
  }
  let top = largest(thread, best, place);
  let shift = bitcast<f32>(top.x);
  var sum = 0.0;
  for (var v = thread; v < sizes.V; v += THREADS) {
    sum += exp(logits[start + v] - shift);
  }
  sum = total(thread, sum);
  let answer = u32(targets[row]);
  // Every invocation has read the logits before one of them is overwritten.
  workgroupBarrier();
  if (thread == 0u) {
    var value = log(sum) + shift - logits[start + min(answer, sizes.V - 1u)];
    if (answer >= sizes.V) {
      value = bitcast<f32>(step.targetCount | 0x7fc00000u);
    }
    loss[row] = value;
    markCorrect(row, select(0u, 1u, top.y == answer));
  }
  workgroupBarrier();
  if (WRITE_GRADIENT == 0u) {
    return;
  }
  var scale = step.lossScale;
  if (answer >= sizes.V) {
    scale = bitcast<f32>(step.targetCount | 0x7fc00000u);
  }
  let factor = scale / sum;
  for (var v = thread; v < sizes.V; v += THREADS) {
    let p = exp(logits[start + v] - shift) * factor;
    logits[start + v] = select(p, p - scale, v == answer);
  }
}
