/** Starts the stand-in's server for the whole run. */
import { startStandIn } from './stand-in-server';

export default async function setup(): Promise<() => Promise<void>> {
  const server = await startStandIn(Number(process.env.UI_TEST_PORT ?? 4199));
  return () => server.close();
}
