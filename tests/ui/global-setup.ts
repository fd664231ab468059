/** Starts the stand-in's server for the whole run. */
import { startStandIn } from './stand-in-server';

export default async function setup(): Promise<() => Promise<void>> {
  const server = await startStandIn(4199);
  return () => server.close();
}
