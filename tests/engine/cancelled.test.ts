/**
 * A run that is stopped before its first step. Plan: at each thing that takes a while, and at once, it ends with an
 * AbortError and leaves nothing, the next run is as if it had never been; a run that was to be gone on with stays as
 * it was.
 */
import { describe, expect, it } from 'vitest';
import type { TrainEvent, TrainRequest } from '$lib/rpc/engine-api';
import { startEngine, takeAdapter } from './engines';
import { stopAt } from './full-store';
import { FailingGpu } from './failing-gpu';
import { Disk } from './mortal-storage';
import { importSmallModel, importTokenRows, silent, smallRun } from './small-model';

async function prepare(): Promise<{ disk: Disk; request: TrainRequest }> {
  const disk = new Disk();
  const engine = startEngine(disk);
  const modelId = await importSmallModel(engine);
  const request = smallRun(modelId, await importTokenRows(engine), { max_steps: 2 });
  const peft = { ...request.peft, init_lora_weights: 'pissa' } as TrainRequest['peft'];
  return { disk, request: { ...request, peft } };
}

describe('a run that is cancelled', () => {
  it.each<[string, TrainEvent['kind'] | undefined]>([
    ['at once', undefined],
    ['while its adapter is taken out of the weights', 'preparing'],
    ['before its first step', 'prepared'],
  ])('%s leaves nothing', async (_, kind) => {
    const { disk, request } = await prepare();
    const gpu = new FailingGpu();
    const expected = await takeAdapter(disk, await startEngine(disk).train(request, silent()));
    const engine = startEngine(disk, { gpu });
    const before = await engine.listRuns(undefined, silent());
    const files = (await disk.files.list('runs')).length;
    const caller = new AbortController();
    const stop = () => caller.abort();
    const seen: string[] = [];
    const cancelled = engine.train(request, {
      signal: caller.signal,
      progress: (event) => {
        seen.push(event.kind);
        if (event.kind === kind) stop();
      },
    });
    if (!kind) stop();
    if (kind === 'prepared') expect(await cancelled).toMatchObject({ status: 'stopped', step: 0 });
    else await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    if (kind) expect(seen).toContain(kind);
    expect(seen).not.toContain('step');
    expect(await engine.listRuns(undefined, silent())).toEqual(before);
    expect(await disk.files.list('runs')).toHaveLength(files);
    const next = await engine.train(request, silent());
    expect(await takeAdapter(disk, next)).toEqual(expected);
    gpu.loseDevice();
  });

  it('is waited for by the next, which is not refused', async () => {
    const { disk, request } = await prepare();
    const engine = startEngine(disk);
    const caller = new AbortController();
    let next: Promise<unknown> | undefined;
    const first = engine.train(request, {
      signal: caller.signal,
      progress: ({ kind }) => {
        if (kind !== 'preparing' || next) return;
        caller.abort();
        next = engine.train(request, silent());
      },
    });
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    expect(await next).toMatchObject({ status: 'finished' });
    // Control: one that goes on is in the way of another.
    const going = engine.train(request, silent());
    await expect(engine.train(request, silent())).rejects.toMatchObject({ code: 'busy' });
    await going;
  });

  it('that was to be gone on with stays as it was', async () => {
    const { disk, request } = await prepare();
    const stopped = await stopAt(startEngine(disk), request, 1);
    const files = await disk.files.list('runs');
    const engine = startEngine(disk);
    const caller = new AbortController();
    const going = engine.train(
      { ...request, resumeRunId: stopped.id },
      { ...silent(), signal: caller.signal },
    );
    caller.abort();
    await expect(going).rejects.toMatchObject({ name: 'AbortError' });
    const [found] = await engine.listRuns(undefined, silent());
    expect(found).toEqual(stopped);
    expect(await disk.files.list('runs')).toEqual(files);
    expect(await engine.train({ ...request, resumeRunId: stopped.id }, silent())).toMatchObject({
      status: 'finished',
      step: 2,
    });
  });
});
