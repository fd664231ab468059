export type { ApiMethod, CallContext, CallOptions, Remote } from './protocol';
export { Transfer } from './protocol';
export { RemoteError, RpcError, isAbortError, type RpcErrorCode } from './errors';
export { connect, type Connection, type ConnectOptions } from './connect';
export { moveToCaller, serve } from './serve';
