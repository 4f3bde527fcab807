// A cluster of an earlier build, with data, is upgraded node by node under load to this one: nothing that
// was acknowledged is lost, clients that retry see nothing. CAIRN_OLD names the earlier binary, which
// tools/earlier builds from the repository's history.
import fs from 'node:fs';
import { Client, Cluster, at_exit, binary, cairn, check, equal, run_tests, sleep, test, until } from './lib.mjs';

const old = process.env.CAIRN_OLD;

/** Counts with a session, each command sent again until it has an answer: exactly once. */
class Counter {
  constructor(cluster, name) {
    Object.assign(this, { cluster, name, count: 0, stopped: false, longest_ms: 0 });
    this.done = this.#run();
  }
  async #ask(...command) {
    for (let turn = 0, began = Date.now(); ; turn++) {
      try {
        this.client ??= await Client.open(this.cluster.redis(1 + turn % this.cluster.size));
        const reply = await this.client.ask(...command);
        if (!(reply instanceof Error)) {
          this.longest_ms = Math.max(this.longest_ms, Date.now() - began);
          return reply;
        }
        check(!/NOSESSION|OUTOFWINDOW/.test(reply.message), reply.message);
      } catch (error) {
        if (/NOSESSION|OUTOFWINDOW/.test(error.message)) throw error;
      }
      this.client?.close();
      this.client = undefined;
      await sleep(20);
      check(Date.now() - began < 20000, `no answer to ${command.join(' ')}`);
    }
  }
  async #run() {
    const session = await this.#ask('CAIRN.SESSION');
    for (let sequence = 1; !this.stopped; sequence++) {
      const reply = await this.#ask('CAIRN.ONCE', session, sequence, 'INCR', this.name);
      equal(Number(reply), sequence, `${this.name} counts`);
      this.count = sequence;
    }
  }
  async stop() {
    this.stopped = true;
    await this.done;
    this.client?.close();
  }
}

async function same_everywhere(cluster) {
  await until('the states are equal', async () => {
    const all = await Promise.all(cluster.ids().map((id) => cluster.status(id)));
    return all[0].keyspaces.every((keyspace, at) => all.every((each) =>
      each.keyspaces[at].digest === keyspace.digest && each.keyspaces[at].applied_index === keyspace.applied_index));
  });
}

async function upgraded({ sets = {}, wipe = false }) {
  const cluster = await Cluster.make({ program: old, sets });
  await cluster.start_all();
  const client = await cluster.client(1);
  for (let at = 0; at < 200; at++) await client.call('SET', `data:${at}`, `${at}`.repeat(500));
  await client.call('SETBIT', 'long', 8 * 300000, 1);
  await client.call('SET', 'ttl', 'v', 'EX', 3600);
  client.close();
  equal(cairn('zk', '--server', `127.0.0.1:${cluster.zookeeper(1)}`, 'create', '/kept', 'data').code, 0);
  const counters = Array.from({ length: 6 }, (_, at) => new Counter(cluster, `counter:${at}`));
  await sleep(1000);
  cluster.program = binary;
  for (const id of cluster.ids()) {
    await cluster.kill(id, wipe ? 'SIGKILL' : 'SIGTERM');
    if (wipe) fs.rmSync(cluster.dir(id), { recursive: true }); // it comes back by a snapshot of the others' version
    await sleep(300);
    await cluster.start(id);
    await until('it votes again', async () => (await cluster.status(id)).keyspaces.every((keyspace) =>
      keyspace.health === 'ok' && keyspace.members.find((member) => member.id === id)?.role === 'voter'), 30000);
    await sleep(700);
  }
  for (const id of cluster.ids())
    await until('the new version is in force', async () => (await cluster.status(id)).keyspaces.every((keyspace) => keyspace.cluster_version === 3));
  await sleep(1000);
  for (const counter of counters) await counter.stop();
  await same_everywhere(cluster);
  for (const id of cluster.ids()) {
    const reader = await cluster.client(id);
    for (const counter of counters) equal(Number(await reader.call('GET', counter.name)), counter.count, counter.name);
    for (let at = 0; at < 200; at += 7) equal(await reader.call('GET', `data:${at}`), `${at}`.repeat(500));
    equal(await reader.call('GETBIT', 'long', 8 * 300000), 1);
    equal(await reader.call('BITCOUNT', 'long'), 1);
    check(Number(await reader.call('TTL', 'ttl')) > 3500, 'its time to live goes on');
    reader.close();
    equal(cairn('zk', '--server', `127.0.0.1:${cluster.zookeeper(id)}`, 'get', '/kept').out.trim(), 'data');
  }
  console.log(`  ${counters.reduce((sum, counter) => sum + counter.count, 0)} counted, longest wait ${Math.max(...counters.map((counter) => counter.longest_ms))} ms`);
  cluster.check_alive();
  for (const id of cluster.ids()) await cluster.kill(id, 'SIGKILL');
  await Promise.all(cluster.ids().map((id) => cluster.start(id))); // what it wrote is read again
  await same_everywhere(cluster);
  await cluster.stop_all();
}

if (!old) {
  console.log('skipped: CAIRN_OLD names no earlier binary');
  console.log('0 passed, 0 failed');
} else {
  test('node by node under load', () => upgraded({}), { timeout_ms: 180000 });
  test('node by node, with snapshots of both versions on their way', () => upgraded({ sets: { 'log.snapshot_log_mb': 1 }, wipe: true }), { timeout_ms: 180000 });
  await run_tests();
}
