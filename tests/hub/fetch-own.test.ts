/** Plan: a file of the page is read; a missing one and a dead server say the same; abort stays abort. */
import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { fetchOwn } from '../../src/lib/hub';
import { listen } from '../storage/chromium';

it('reads files of the page, and says what to do when one cannot be had', async () => {
  const site = await listen(
    createServer((request, response) => {
      response.writeHead(request.url === '/models/a.json' ? 200 : 404).end('{}');
    }),
  );
  const url = `${site.origin}/models/a.json`;
  expect(await (await fetchOwn(url)).text()).toBe('{}');
  const offline = { name: 'HubError', code: 'offline', retryable: true };
  await expect(fetchOwn(`${site.origin}/models/b.json`)).rejects.toMatchObject(offline);
  await expect(fetchOwn(url, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
  await site.close();
  await expect(fetchOwn(url)).rejects.toMatchObject({
    ...offline,
    details: { path: '/models/a.json' },
  });
});
