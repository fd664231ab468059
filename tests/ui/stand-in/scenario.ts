/** The states that pages are looked at in. A test chooses one with the cookie `scenario`. */
export type Scenario =
  | 'ordinary'
  /** Ordinary, with time to act while something goes on. */
  | 'slow'
  | 'fresh'
  | 'no-webgpu'
  | 'software-webgpu'
  /** A card on which products in 16 bits pay, and one on which they do not. */
  | 'fp16-faster'
  | 'fp16-slower'
  | 'low-space'
  | 'private'
  | 'second-tab'
  | 'crash'
  /** The worker ends without an error event. */
  | 'vanish'
  | 'device-lost'
  | 'lists-fail'
  | 'storage-full'
  /** A run's checkpoints find no room. */
  | 'disk-full'
  /** Runs of more than two rows a batch find no GPU memory. */
  | 'no-memory'
  /** The model being trained cannot be talked to. */
  | 'mute'
  /** A run's loss stops being a number at step 50, after its first checkpoint. */
  | 'diverges'
  /** Runs and adapters were brought from another device; their model is not on this one. */
  | 'from-elsewhere'
  /** A second round from the finished run was broken off before its first checkpoint. */
  | 'broken-round'
  /** Adapters are fully tuned models: a chat waits for an evaluation, and an evaluation for a chat. */
  | 'waits';

export const wait = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('The call was stopped.', 'AbortError'));
    });
  });
