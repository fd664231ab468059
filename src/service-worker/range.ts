/** Cuts a range out of a whole response: a cache only keeps whole ones. */

/** The response itself when no single range is asked for. */
export async function cutRange(request: Request, response: Response): Promise<Response> {
  const range = request.headers.get('Range');
  if (range === null || response.status !== 200) return response;
  const match = /^bytes=(\d*)-(\d*)$/.exec(range.trim());
  if (!match || (match[1] === '' && match[2] === '')) return response;

  const body = await response.blob();
  const [, first, last] = match;
  const start = first === '' ? Math.max(0, body.size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? body.size : Math.min(Number(last) + 1, body.size);
  const headers = new Headers(response.headers);
  headers.delete('Content-Encoding');
  if (start >= end) {
    headers.set('Content-Range', `bytes */${body.size}`);
    headers.delete('Content-Length');
    return new Response(null, { status: 416, headers });
  }
  headers.set('Content-Range', `bytes ${start}-${end - 1}/${body.size}`);
  headers.set('Content-Length', String(end - start));
  return new Response(body.slice(start, end), { status: 206, headers });
}
