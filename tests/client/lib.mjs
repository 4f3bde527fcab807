// What the tests of real processes share: a test list, clusters on free ports in a temporary folder,
// and a small RESP client that shows replies to the byte.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');
export const binary = path.resolve(root, process.env.CAIRN ?? 'build/cairn');

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- tests ----

const tests = [];
const cleanups = new Set();

export class Skip extends Error {}
export const skip = (reason) => {
  throw new Skip(reason);
};

export function test(name, run, { timeout_ms = 60000 } = {}) {
  tests.push({ name, run, timeout_ms });
}

/** Runs at the end of the process, however it ends. */
export function at_exit(run) {
  cleanups.add(run);
  return run;
}

function clean() {
  for (const run of cleanups)
    try {
      run();
    } catch {
      // the next one matters too
    }
  cleanups.clear();
}
process.on('exit', clean);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => process.exit(1));

async function run_one({ name, run, timeout_ms }) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${timeout_ms} ms`)), timeout_ms);
  });
  const began = Date.now();
  try {
    await Promise.race([run(), late]);
    console.log(`ok ${name} (${Date.now() - began} ms)`);
    return true;
  } catch (error) {
    if (error instanceof Skip) {
      console.log(`ok ${name} # skipped: ${error.message}`);
      return true;
    }
    console.log(`not ok ${name}`);
    console.log(`    ${error.stack ?? error}`.replaceAll('\n', '\n    '));
    for (const told of new Set(clusters.slice(-2).map((cluster) => cluster.told())))
      console.log(`    ${told}`.replaceAll('\n', '\n    '));
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs what test() gathered (or those whose names contain the argument) and ends the process. */
export async function run_tests() {
  const wanted = process.argv[2];
  let passed = 0, failed = 0;
  for (const each of tests) {
    if (wanted && !each.name.includes(wanted)) continue;
    if (await run_one(each)) passed++;
    else failed++;
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

export function check(condition, text) {
  if (!condition) throw new Error(text);
}

export function equal(actual, expected, text = 'value') {
  const a = JSON.stringify(actual), e = JSON.stringify(expected);
  if (a !== e) throw new Error(`${text}: ${a} instead of ${e}`);
}

/** Asks again until the answer is true; the last answer or error is in the failure. */
export async function until(what, ask, patience_ms = 15000) {
  const end = Date.now() + patience_ms;
  let last;
  while (Date.now() < end) {
    try {
      last = await ask();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await sleep(20);
  }
  throw new Error(`${what} did not happen in ${patience_ms} ms (last: ${last})`);
}

// ---- folders, ports, programs ----

export function temporary_folder() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cairn-test-'));
  at_exit(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const is_free = (port) => new Promise((resolve) => {
  const server = net.createServer().on('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
});

/** Below the range from which the kernel takes the ports of outgoing connections. */
export async function free_port() {
  for (;;) {
    const port = 12000 + Math.floor(Math.random() * 18000);
    if (await is_free(port)) return port;
  }
}

/** What --port-offset would be: the ports of nine nodes from there are free. */
async function free_offset() {
  for (;;) {
    const offset = 4000 + 10 * Math.floor(Math.random() * 2000);
    const ports = [2180, 7000, 7100, 7200].flatMap((first) => Array.from({ length: 9 }, (_, i) => first + i + 1 + offset));
    if ((await Promise.all(ports.map(is_free))).every(Boolean)) return offset;
  }
}

export function start_program(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.text = '';
  child.stdout?.on('data', (data) => (child.text += data));
  child.stderr?.on('data', (data) => (child.text += data));
  const kill = at_exit(() => child.kill('SIGKILL'));
  child.ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, error }));
    child.on('close', (code, signal) => {
      cleanups.delete(kill);
      resolve({ code, signal });
    });
  });
  return child;
}

/** A program that ends by itself: {code, out, err}. */
export function call_program(program, args, options = {}) {
  const done = spawnSync(program, args, { encoding: 'utf8', timeout: 60000, maxBuffer: 1 << 28, ...options });
  if (done.error) throw done.error;
  return { code: done.status, out: done.stdout, err: done.stderr };
}

/** The same while this process goes on serving its own connections. */
export async function await_program(program, args, options = {}) {
  const child = start_program(program, args, options);
  const end = await child.ended;
  return { ...end, out: child.text };
}

export const cairn = (...args) => call_program(binary, args);
export const has_program = (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;

export async function http(port, where) {
  const response = await fetch(`http://127.0.0.1:${port}${where}`, { headers: { connection: 'close' } });
  return { status: response.status, text: await response.text() };
}

// ---- RESP ----

/** Where the value that begins at `at` ends; -1: it is not whole. */
function value_end(bytes, at) {
  const line = bytes.indexOf('\r\n', at);
  if (line < 0) return -1;
  const tag = String.fromCharCode(bytes[at]);
  const number = () => Number(bytes.toString('latin1', at + 1, line));
  if ('$=!'.includes(tag)) {
    const end = number() < 0 ? line + 2 : line + 2 + number() + 2;
    return end <= bytes.length ? end : -1;
  }
  let end = line + 2;
  if ('*~>%'.includes(tag))
    for (let left = number() * (tag === '%' ? 2 : 1); left > 0 && end >= 0; left--)
      end = value_end(bytes, end);
  return end;
}

export class ErrorReply extends Error {}

function parse_at(bytes, state) {
  const line = bytes.indexOf('\r\n', state.at);
  const tag = String.fromCharCode(bytes[state.at]);
  const text = bytes.toString('utf8', state.at + 1, line);
  state.at = line + 2;
  const many = (count) => Array.from({ length: count }, () => parse_at(bytes, state));
  switch (tag) {
    case '+': return text;
    case '-': return new ErrorReply(text);
    case ':': return Number(text);
    case ',': return Number(text);
    case '#': return text === 't';
    case '_': return null;
    case '$':
    case '=': {
      if (text === '-1') return null;
      const value = bytes.toString('utf8', state.at, state.at + Number(text));
      state.at += Number(text) + 2;
      return tag === '=' ? value.slice(4) : value;
    }
    case '%': return many(2 * Number(text));
    default: return text === '-1' ? null : many(Number(text));
  }
}
export const parse = (bytes) => parse_at(bytes, { at: 0 });

export function encode(args) {
  const parts = [Buffer.from(`*${args.length}\r\n`)];
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

const LARGE = 1 << 20;

/** One connection. Replies come in order; what nobody waits for gathers in `pushed`. */
export class Client {
  constructor(socket) {
    this.socket = socket;
    this.chunks = []; // what has arrived of replies that are not whole
    this.length = 0;
    this.waiting = [];
    this.pushed = [];
    this.closed = false;
    socket.setNoDelay(true);
    socket.on('data', (data) => this.#take(data));
    socket.on('error', () => {});
    this.end = new Promise((resolve) =>
      socket.on('close', () => {
        this.closed = true;
        if (this.length) this.#parse();
        for (const { reject } of this.waiting.splice(0)) reject(new Error('connection closed'));
        resolve();
      }));
  }
  static open(port, host = '127.0.0.1') {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, host, () => resolve(new Client(socket)));
      socket.once('error', reject);
    });
  }
  #take(data) {
    this.chunks.push(data);
    this.length += data.length;
    if (this.length < LARGE) this.#parse();
    else this.timer ??= setTimeout(() => this.#parse(), 30); // a large reply is not parsed at every chunk
  }
  #parse() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.bytes = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
    let at = 0;
    while (at < this.bytes.length) {
      const end = value_end(this.bytes, at);
      if (end < 0) break;
      const value = this.bytes.subarray(at, end);
      at = end;
      if (this.waiting.length && value[0] !== 62) this.waiting.shift().resolve(value);
      else this.pushed.push(value);
    }
    this.bytes = this.bytes.subarray(at);
    this.length = this.bytes.length;
    this.chunks = this.length ? [this.bytes] : [];
  }
  /** Sends bytes as they are; the next `count` replies, as bytes. */
  raw(bytes, count = 1) {
    if (this.closed) return Promise.reject(new Error('connection closed'));
    const replies = Array.from({ length: count }, () =>
      new Promise((resolve, reject) => this.waiting.push({ resolve, reject })));
    this.socket.write(bytes);
    return Promise.all(replies);
  }
  async bytes_of(...args) {
    return (await this.raw(encode(args)))[0];
  }
  /** The reply as a value; an error reply is an ErrorReply, not thrown. */
  async ask(...args) {
    return parse(await this.bytes_of(...args));
  }
  /** The reply as a value; an error reply is thrown. */
  async call(...args) {
    const value = await this.ask(...args);
    if (value instanceof ErrorReply) throw value;
    return value;
  }
  close() {
    this.socket.destroy();
  }
}

// ---- clusters ----

// The nodes of a test share their operators' token, which cairn finds by this.
process.env.CAIRN_TOKEN_FILE = path.join(temporary_folder(), 'token');

const clusters = []; // what their nodes said is told when a test fails

export class Cluster {
  /** sets: {"section.key": value} for every node; environment(cluster, node): what it is started with besides. */
  static async make({ nodes = 3, sets = {}, folder = temporary_folder(), program = binary, environment = () => ({}) } = {}) {
    const cluster = new Cluster();
    Object.assign(cluster, { folder, sets, program, environment, size: nodes, children: {}, logs: {}, name: `test-${process.pid}-${Math.random()}` });
    cluster.offset = await free_offset();
    clusters.push(cluster);
    return cluster;
  }
  static async started(options) {
    const cluster = await Cluster.make(options);
    await cluster.start_all();
    return cluster;
  }
  redis(node) { return 7000 + node + this.offset; }
  peer(node) { return 7100 + node + this.offset; }
  admin(node) { return 7200 + node + this.offset; }
  zookeeper(node) { return 2180 + node + this.offset; }
  dir(node) { return path.join(this.folder, `node-${node}`); }
  ids() { return Array.from({ length: this.size }, (_, i) => i + 1); }
  members() { return this.ids().map((id) => `${id}=127.0.0.1:${this.peer(id)}`).join(' '); }

  args(node, extra = {}) {
    const sets = {
      'node.id': node, 'node.dir': this.dir(node), 'cluster.name': this.name, 'cluster.members': this.members(),
      'redis.listen': `127.0.0.1:${this.redis(node)}`, 'peer.listen': `127.0.0.1:${this.peer(node)}`,
      'admin.listen': `127.0.0.1:${this.admin(node)}`, 'zookeeper.listen': `127.0.0.1:${this.zookeeper(node)}`, ...(this.program === binary ? { 'admin.token_file': process.env.CAIRN_TOKEN_FILE } : {}), ...this.sets, ...extra,
    };
    return ['server', ...Object.entries(sets).flatMap(([key, value]) => ['--set', `${key}=${value}`])];
  }
  spawn(node, extra = {}) {
    const env = { ...process.env, ...this.environment(this, node) };
    const child = start_program(this.program, this.args(node, extra), { env });
    const log = (data) => (this.logs[node] = (this.logs[node] ?? '') + data);
    child.stdout.on('data', log);
    child.stderr.on('data', log);
    this.children[node] = child;
    return child;
  }
  async ready(node) {
    const child = this.children[node];
    await until(`node ${node} is ready`, () => {
      check(child.exitCode === null && child.signalCode === null, `node ${node} ended: ${child.text}`);
      return child.text.includes('ready node=');
    }, 20000);
  }
  async start(node, extra = {}) {
    this.spawn(node, extra);
    await this.ready(node);
  }
  async start_all(extra = {}) {
    for (const id of this.ids()) this.spawn(id, { 'cluster.bootstrap': 'yes', ...extra });
    for (const id of this.ids()) await this.ready(id);
  }
  pid(node) { return this.children[node].pid; }
  async kill(node, signal = 'SIGKILL') {
    const child = this.children[node];
    child.kill(signal);
    return child.ended;
  }
  async stop_all() {
    const children = Object.values(this.children).filter((child) => child.exitCode === null && child.signalCode === null);
    for (const child of children) child.kill('SIGCONT') && child.kill('SIGTERM');
    const ends = await Promise.all(children.map((child) => child.ended));
    for (const end of ends) equal(end.code, 0, 'exit code of a stopped node');
  }
  /** What each node said last, for the report of a failure. */
  told() {
    return Object.entries(this.logs).map(([id, log]) => `node ${id}: ${log.slice(-1500)}`).join('\n');
  }
  client(node) { return Client.open(this.redis(node)); }
  async status(node) { return JSON.parse((await http(this.admin(node), '/status')).text); }
  async metric(node, name) {
    const line = (await http(this.admin(node), '/metrics')).text.split('\n').find((each) => each.startsWith(`${name} `));
    return Number(line?.split(' ')[1]);
  }
  /** The leader that a majority of the nodes asked agrees on. */
  leader(among = this.ids()) {
    return until('a leader', async () => {
      const found = await Promise.all(among.map((id) => this.status(id).catch(() => ({ leader: 0 }))));
      const leader = found[0].leader;
      return leader > 0 && found.every((each) => each.leader === leader) && leader;
    });
  }
  memory_bytes(node) {
    const text = fs.readFileSync(`/proc/${this.pid(node)}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(text)[1]) * 1024;
  }
  /** What every test expects at its end: nobody crashed. */
  check_alive() {
    for (const [id, child] of Object.entries(this.children))
      check(child.exitCode === null && child.signalCode === null, `node ${id} died: ${child.text.slice(-2000)}`);
  }
}
