// SPDX-License-Identifier: MIT
// Starts a gpu-monitor of its own for browser tests and benches: a free port, a database in a folder that is removed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const START_MS = 30_000;
const STOP_MS = 10_000;

export function serverPath() {
  return process.env.GM_SERVER ?? join(HERE, '..', '..', 'build', 'gpu-monitor');
}

/** A port nobody listens on now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/**
 * @param {{profile?: string, simulate?: number, config?: string, set?: Record<string, string>}} options
 */
export async function startServer(options = {}) {
  const program = serverPath();
  if (!existsSync(program)) throw new Error(`no server at ${program}: build it, or name one in GM_SERVER`);
  const folder = mkdtempSync(join(tmpdir(), 'gm-web-'));
  const port = await freePort();
  const { profile = 'development', simulate, config, set = {} } = options;
  const args = ['--profile', profile];
  if (simulate !== undefined) args.push('--simulate', String(simulate));
  if (config !== undefined) {
    const file = join(folder, 'application.yml');
    writeFileSync(file, config);
    args.push('--config', file);
  }
  const settings = {
    'server.port': String(port),
    'server.bind': '127.0.0.1',
    'database.url': `sqlite:${join(folder, 'gm.db')}`,
    ...set,
  };
  for (const [key, value] of Object.entries(settings)) args.push('--set', `${key}=${value}`);
  const server = new Server(program, args, folder, port);
  try {
    await server.start();
  } catch (cause) {
    await server.close();
    throw cause;
  }
  return server;
}

class Server {
  output = '';
  #program;
  #args;
  #folder;
  #child = null;

  constructor(program, args, folder, port) {
    this.#program = program;
    this.#args = args;
    this.#folder = folder;
    this.port = port;
    this.origin = `http://127.0.0.1:${port}`;
    this.url = `${this.origin}/k8s-monitor/`;
  }

  /** Starts, or starts again on the same port and database. */
  async start() {
    const child = spawn(this.#program, this.#args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.#folder });
    this.#child = child;
    let failure = null;
    child.once('error', (cause) => (failure = cause));
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.output += String(text)));
    const deadline = Date.now() + START_MS;
    for (;;) {
      if (failure) throw failure;
      if (child.exitCode !== null) throw new Error(`${this.#program} ended with ${child.exitCode}:\n${this.output}`);
      const response = await fetch(this.url).catch(() => null);
      if (response?.ok) return;
      if (Date.now() > deadline) throw new Error(`${this.#program} does not answer:\n${this.output}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** Ends the process; by SIGKILL as a crash, by SIGTERM as an operator. */
  async stop(signal = 'SIGTERM') {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(late);
  }

  async close() {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The first admin key, printed once on a database without one. */
  get firstKey() {
    return /gmk_[A-Za-z0-9_-]{16,}/.exec(this.output)?.[0] ?? null;
  }
}
