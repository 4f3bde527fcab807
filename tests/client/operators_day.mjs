// An operator's day: machines of their own (network namespaces with addresses, disks of a few megabytes) that are
// replaced one after the other, move, fill up, get a password and a secret while they run, and of which a majority is
// lost in the end. The commands are those of docs/operations.md. Clients count all day; after each step `cairn status`
// must say what is so, and no acknowledged increment may be missing.
//
// Needs root, ip and mount; part of `make soak`.
import fs from 'node:fs';
import path from 'node:path';
import { Client, Cluster, at_exit, binary, call_program, check, equal, run_tests, skip, sleep, start_program, test, until } from './lib.mjs';

const TAG = process.env.CAIRN_DAY_TAG ?? `cairn${process.pid}`;
const HUB = `${TAG}-hub`;
const DISK_MB = 96;
const ENV = { ...process.env };
delete ENV.CAIRN_TOKEN_FILE; // each machine has its own
const sh = (...words) => {
  const done = call_program(words[0], words.slice(1).map(String), { env: ENV });
  if (done.code !== 0) throw new Error(`${words.join(' ')}: ${done.err || done.out}`);
  return done.out;
};
const inside = (space, ...words) => sh('ip', 'netns', 'exec', space, ...words);

// ---- machines ----

class Site extends Cluster {
  static async make_site() {
    const site = Object.setPrototypeOf(await Cluster.make(), Site.prototype);
    Object.assign(site, { program: 'ip', offset: 0, hosts: {}, secret: '', password: '', founders: [1, 2, 3] });
    return site;
  }
  space(node) { return `${TAG}-${node}`; }
  /** A machine with an address and a disk of its own. */
  rack(node, host = `10.77.0.${node}`) {
    const space = this.space(node), [outer, inner] = [`${TAG}o${node}`, `${TAG}i${node}`];
    this.hosts[node] = host;
    sh('ip', 'netns', 'add', space);
    inside(HUB, 'ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', space);
    inside(HUB, 'ip', 'link', 'set', outer, 'master', 'br0', 'up');
    inside(space, 'ip', 'link', 'set', 'lo', 'up');
    inside(space, 'ip', 'link', 'set', inner, 'up');
    inside(space, 'ip', 'addr', 'add', `${host}/24`, 'dev', inner);
    fs.mkdirSync(this.disk(node), { recursive: true });
    sh('mount', '-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', this.disk(node));
    at_exit(() => call_program('umount', ['-l', this.disk(node)]));
    at_exit(() => call_program('ip', ['netns', 'del', space]));
  }
  move(node, host) {
    inside(this.space(node), 'ip', 'addr', 'flush', 'dev', `${TAG}i${node}`);
    inside(this.space(node), 'ip', 'addr', 'add', `${host}/24`, 'dev', `${TAG}i${node}`);
    this.hosts[node] = host;
  }
  disk(node) { return path.join(this.folder, `disk-${node}`); }
  dir(node) { return path.join(this.disk(node), 'data'); }
  peer_at(node) { return `${this.hosts[node]}:7100`; }
  args(node, extra = {}) {
    const host = this.hosts[node];
    const sets = {
      'node.id': node, 'node.dir': this.dir(node), 'cluster.name': this.name, 'network.beyond_loopback': 'yes', 'log.segment_mb': 4,
      'cluster.members': this.founders.map((id) => `${id}=${this.peer_at(id)}`).join(' '), 'redis.listen': `${host}:7000`, 'peer.listen': `${host}:7100`,
      'admin.listen': `${host}:7200`, 'zookeeper.listen': `${host}:2181`, ...(this.password && { 'redis.password': this.password }),
      ...(this.secret && { 'peer.secret_file': this.secret_file(node) }), ...extra,
    };
    return ['netns', 'exec', this.space(node), binary, 'server', ...Object.entries(sets).flatMap(([key, value]) => ['--set', `${key}=${value}`])];
  }
  secret_file(node) { return path.join(this.disk(node), 'secret'); }
  write_secret(node, ...lines) { fs.writeFileSync(this.secret_file(node), `${lines.join('\n')}\n`, { mode: 0o600 }); }
  async client(node) {
    const client = await Client.open(7000, this.hosts[node]);
    if (this.password) await client.call('AUTH', this.password);
    return client;
  }
  async status(node) {
    const response = await fetch(`http://${this.hosts[node]}:7200/status`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(2000) });
    return response.json();
  }
  admin_at(nodes) { return nodes.map((id) => `${this.hosts[id]}:7200`).join(','); }
  member(asked, ...words) {
    return call_program(binary, ['member', ...words.map(String), '--node', this.admin_at([asked]), '--token-file', path.join(this.dir(asked), 'token')], { env: ENV, timeout: 120000 });
  }
  async restart(node) {
    equal((await this.kill(node, 'SIGTERM')).code, 0, 'exit code of a stopped node');
    await this.start(node);
  }
}

/** `cairn status` as a person reads it: {id: {keyspace: {member, role, health}}}, and its exit code. */
function status(site, asked) {
  const { code, out, err } = call_program(binary, ['status', '--node', site.admin_at(asked)], { env: ENV });
  const nodes = {};
  for (const line of out.split('\n').slice(1)) {
    const columns = /^(\d+) +(\S+) +(\S+) +(\S+) +(?:[\d ]+?) +([a-z].*)$/.exec(line) ?? /^(\d+) +(\S+) +(\S+) +(\S+) +(.*)$/.exec(line);
    if (columns) (nodes[columns[1]] ??= {})[columns[2]] = { member: columns[3], role: columns[4], health: columns[5] };
  }
  return { code, nodes, text: out + err };
}

/** Says what is so, with both keyspaces' members and leaders, and the health of each node, within some seconds. */
async function tells(site, what, health) {
  const asked = Object.keys(health).map(Number);
  await until(`cairn status says: ${what}`, () => {
    const told = status(site, asked);
    const fits = Object.entries(health).every(([id, expected]) => ['kv', 'tree'].every((keyspace) => {
      const node = told.nodes[id]?.[keyspace];
      return node && node.health === expected && (expected === 'removed from the cluster' ? node.member === 'none' : node.member === 'voter');
    }));
    const others = Object.keys(told.nodes).filter((id) => !(id in health));
    const led = ['kv', 'tree'].every((keyspace) => Object.values(told.nodes).filter((node) => node[keyspace]?.role === 'leader').length === 1);
    const well = Object.values(health).every((each) => each === 'ok' || each === 'removed from the cluster');
    if (fits && others.length === 0 && led && (told.code === 0) === well) return true;
    throw new Error(told.text);
  }, 30000);
}

// ---- a client that counts all day ----

class Counting {
  constructor(site) { Object.assign(this, { site, acknowledged: 0, unknown: 0, longest_ms: 0, nodes: [1, 2, 3], stop: false }); this.done = this.run(); }
  async run() {
    let answered = performance.now();
    for (let at = 0; !this.stop; at++) {
      const client = await Promise.race([this.site.client(this.nodes[at % this.nodes.length]), sleep(1000)]).catch(() => undefined);
      for (let n = 0; client && n < 50 && !this.stop; n++) {
        const reply = await Promise.race([client.ask('INCR', 'counter'), sleep(2000)]).catch(() => undefined);
        if (typeof reply === 'number') {
          this.acknowledged++;
          this.longest_ms = Math.max(this.longest_ms, performance.now() - answered);
          answered = performance.now();
        } else if (reply === undefined || /UNKNOWN/.test(`${reply}`)) this.unknown++;
        if (typeof reply !== 'number') break;
        await sleep(2);
      }
      client?.close();
      await sleep(5);
    }
  }
  async check(node) {
    const acknowledged = this.acknowledged, client = await this.site.client(node);
    const counter = Number(await client.call('GET', 'counter'));
    client.close();
    check(counter >= acknowledged && counter <= this.acknowledged + this.unknown + 1, `${counter} of ${acknowledged} acknowledged increments, ${this.unknown} of unknown fate`);
  }
}

let site, counting, whole = true;

/** A part of the day: what failed before leaves nothing to build on. */
function step(name, run, options) {
  test(name, async () => {
    check(whole, 'not tried: an earlier part of the day failed');
    whole = false;
    await run();
    whole = true;
  }, options);
}

const well = (...ids) => Object.fromEntries(ids.map((id) => [id, 'ok']));

step('morning: three machines found a cluster', async () => {
  site = await Site.make_site();
  for (const id of [1, 2, 3]) site.rack(id);
  for (const id of [1, 2, 3]) site.spawn(id, { 'cluster.bootstrap': 'yes' });
  for (const id of [1, 2, 3]) await site.ready(id);
  counting = new Counting(site);
  await tells(site, 'three voters', well(1, 2, 3));
});

step('a password is set, node by node', async () => {
  for (const id of [1, 2, 3]) {
    site.password = 'correct horse';
    await site.restart(id);
    await tells(site, 'all are well', well(1, 2, 3));
  }
  const client = await Client.open(7000, site.hosts[1]);
  check(/NOAUTH/.test(await client.ask('GET', 'counter')), 'strangers are refused');
  client.close();
  await counting.check(1);
});

step('a secret is set on the running cluster, and replaced', async () => {
  const [first, second] = [sh('openssl', 'rand', '-hex', '32').trim(), sh('openssl', 'rand', '-hex', '32').trim()];
  site.secret = first;
  for (const id of [1, 2, 3]) {
    site.write_secret(id, first, 'accept-without-secret');
    await site.restart(id);
    await tells(site, 'all are well', well(1, 2, 3));
  }
  for (const lines of [[first], [first, second], [second, first], [second]]) {
    for (const id of [1, 2, 3]) {
      site.write_secret(id, ...lines);
      site.children[id].kill('SIGHUP');
      await sleep(300);
    }
    await tells(site, 'all are well', well(1, 2, 3));
  }
  site.secret = second;
  await counting.check(2);
});

step('machines are replaced one after the other', async () => {
  for (const old of [1, 2, 3]) {
    const fresh = old + 3, asked = old === 3 ? 4 : 3;
    site.rack(fresh);
    site.write_secret(fresh, site.secret);
    site.spawn(fresh);
    const added = site.member(asked, 'add', fresh, site.peer_at(fresh));
    equal(added.out, 'OK\n', added.err);
    counting.nodes.push(fresh);
    const removed = site.member(asked, 'remove', old);
    equal(removed.out, 'OK\n', removed.err);
    counting.nodes = counting.nodes.filter((id) => id !== old);
    await until(`node ${old} says that it was removed`, async () => (await site.status(old)).health === 'removed from the cluster');
    const present = counting.nodes;
    await tells(site, `${old} is removed and rests`, { ...well(...present), [old]: 'removed from the cluster' });
    await site.kill(old, 'SIGTERM');
    await tells(site, `${old} is gone`, well(...present));
  }
  equal(counting.nodes, [4, 5, 6]);
  site.founders = [4, 5, 6];
  await counting.check(5);
}, { timeout_ms: 180000 });

step('machines get other addresses: one by itself, one by member move', async () => {
  await site.kill(4, 'SIGTERM');
  site.move(4, '10.77.0.104');
  await site.start(4);
  await until('the new address is recorded', () => site.member(5, 'list').out.includes('10.77.0.104:7100'), 30000);
  await tells(site, 'all are well', well(4, 5, 6));
  await site.kill(5, 'SIGTERM');
  site.move(5, '10.77.0.105');
  const moved = site.member(6, 'move', 5, site.peer_at(5));
  equal(moved.out, 'OK\n', moved.err);
  await site.start(5);
  await tells(site, 'all are well', well(4, 5, 6));
  await counting.check(6);
});

const filler = (node) => path.join(site.disk(node), 'filler');
/** Takes what is left of a machine's disk. */
function fill(node) {
  const file = fs.openSync(filler(node), 'w');
  const block = Buffer.alloc(1 << 16, 1);
  try {
    for (;;) fs.writeSync(file, block);
  } catch (error) {
    check(error.code === 'ENOSPC', `${error}`);
  } finally {
    fs.closeSync(file);
  }
}
/** Writes until the log finds no room, or says so. */
async function press(node) {
  const client = await site.client(node);
  for (let n = 0; n < 1500 && (await site.status(node)).health === 'ok'; n++) await client.ask('SET', `pad${n % 10}`, 'x'.repeat(100000)).catch(() => undefined);
  client.close();
}

step('a disk fills up and is freed; then all of them', async () => {
  fill(6);
  await press(5);
  await tells(site, '6 is full', { ...well(4, 5), 6: 'disk full' });
  const before = counting.acknowledged;
  await until('writes go on', () => counting.acknowledged > before + 50);
  fill(4);
  fill(5);
  const client = await site.client(4);
  await until('writes are refused', async () => {
    const reply = await client.ask('SET', 'pad', 'x'.repeat(100000));
    return /MISCONF the disk is full; not executed/.test(`${reply}`);
  }, 30000);
  check(Number(await client.call('GET', 'counter')) >= counting.acknowledged - 1, 'reads go on');
  client.close();
  await until('a majority says so', () => {
    const told = status(site, [4, 5, 6]);
    return told.code === 1 && Object.values(told.nodes).filter((node) => Object.values(node).some((each) => each.health === 'disk full')).length >= 2;
  });
  for (const id of [4, 5, 6]) fs.unlinkSync(filler(id));
  await tells(site, 'all are well', well(4, 5, 6));
  await counting.check(4);
}, { timeout_ms: 120000 });

step('a backup by copy is restored elsewhere', async () => {
  const copy = path.join(site.folder, 'backup');
  const before = counting.acknowledged;
  await site.kill(6, 'SIGTERM');
  sh('cp', '-a', site.dir(6), copy);
  await site.start(6);
  await tells(site, 'all are well', well(4, 5, 6));
  const restored = await Site.make_site();
  restored.name = site.name;
  restored.rack(7);
  sh('cp', '-a', copy, restored.dir(7));
  const repaired = call_program(binary, ['repair', restored.dir(7), '--yes'], { env: ENV });
  equal(repaired.code, 0, repaired.err);
  restored.password = site.password;
  restored.founders = [7];
  await restored.start(7, { 'node.id': 6 });
  const client = await restored.client(7);
  const counter = Number(await client.call('GET', 'counter'));
  client.close();
  check(counter >= before && counter <= counting.acknowledged + counting.unknown, `the copy has ${counter} of ${before}`);
  await restored.kill(7, 'SIGTERM');
  await tells(site, 'all are well, and the copy is no part of it', well(4, 5, 6));
});

step('a majority is lost for good', async () => {
  counting.stop = true;
  await counting.done;
  for (const id of [5, 6]) {
    await site.kill(id);
    fs.rmSync(site.dir(id), { recursive: true, force: true });
  }
  await until('the third says that it has no leader', async () => (await site.status(4)).health.startsWith('no leader'));
  equal(status(site, [4]).code, 1, 'the exit code of cairn status');
  await site.kill(4, 'SIGTERM');
  const inspected = call_program(binary, ['inspect', site.dir(4)], { env: ENV });
  equal(inspected.code, 0, inspected.out + inspected.err);
  check(/last/.test(inspected.out), `inspect tells the last index:\n${inspected.out}`);
  const repaired = call_program(binary, ['repair', site.dir(4), '--yes'], { env: ENV });
  equal(repaired.code, 0, repaired.err);
  await site.start(4);
  await tells(site, '4 is alone', well(4));
  for (const id of [5, 6]) {
    site.spawn(id);
    const added = site.member(4, 'add', id, site.peer_at(id));
    equal(added.out, 'OK\n', added.err);
  }
  await tells(site, 'three again', well(4, 5, 6));
  await counting.check(5);
  console.log(`  ${counting.acknowledged} increments acknowledged, ${counting.unknown} of unknown fate, longest time without one ${Math.round(counting.longest_ms)} ms`);
  await site.stop_all();
}, { timeout_ms: 120000 });

// ---- the network ----

function able() {
  if (process.getuid() !== 0) return 'it makes network namespaces, and needs root';
  for (const program of ['ip', 'mount', 'openssl']) if (call_program('sh', ['-c', `command -v ${program}`]).code !== 0) return `${program} is not installed`;
  return '';
}

/** The whole test runs on the bridge's side: begins once more there. */
function go_inside() {
  sh('ip', 'netns', 'add', HUB);
  at_exit(() => call_program('ip', ['netns', 'del', HUB]));
  inside(HUB, 'ip', 'link', 'set', 'lo', 'up');
  inside(HUB, 'ip', 'link', 'add', 'br0', 'type', 'bridge');
  inside(HUB, 'ip', 'addr', 'add', '10.77.0.254/24', 'dev', 'br0');
  inside(HUB, 'ip', 'link', 'set', 'br0', 'up');
  return start_program('ip', ['netns', 'exec', HUB, process.execPath, ...process.argv.slice(1)], { env: { ...process.env, CAIRN_DAY_TAG: TAG }, stdio: 'inherit' }).ended;
}

const reason = able();
if (reason) {
  test('an operator\'s day', () => skip(reason));
  await run_tests();
} else if (process.env.CAIRN_DAY_TAG === undefined) {
  process.exit((await go_inside()).code ?? 1);
} else {
  await run_tests();
}
