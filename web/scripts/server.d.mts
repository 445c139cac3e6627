// SPDX-License-Identifier: MIT
export interface ServerOptions {
  profile?: string;
  simulate?: number;
  config?: string;
  set?: Record<string, string>;
}

export interface RunningServer {
  readonly port: number;
  readonly origin: string;
  readonly url: string;
  readonly output: string;
  readonly firstKey: string | null;
  start(): Promise<void>;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  close(): Promise<void>;
}

export function serverPath(): string;
export function freePort(): Promise<number>;
export function startServer(options?: ServerOptions): Promise<RunningServer>;
