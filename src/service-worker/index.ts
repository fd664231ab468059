/**
 * The service worker: the app shell offline, bundled models once used, isolation headers where the host
 * cannot send them, and the seal. A new version waits until a page posts `skip-waiting`.
 */
import { discardOldCaches, keepShell } from './caches';
import { answerMessage } from './messages';
import { answerForeign } from './foreign';
import { answerOwn } from './own';
import { worker } from './scope';

worker.addEventListener('install', (event) => {
  event.waitUntil(keepShell());
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(discardOldCaches().then(() => worker.clients.claim()));
});

worker.addEventListener('message', (event) => {
  event.waitUntil(answerMessage(event));
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  if (new URL(request.url).origin !== worker.location.origin) {
    event.respondWith(answerForeign(request));
  } else if (request.method === 'GET') {
    event.respondWith(answerOwn(request, (work) => event.waitUntil(work)));
  }
});
