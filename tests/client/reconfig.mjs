// Reconfig of ZooKeeper's clients, on raw frames: each is done as a whole or changes nothing, in
// every keyspace, and its error says which.
import net from 'node:net';
import { Cluster, binary, await_program, check, equal, run_tests, sleep, test, until } from './lib.mjs';

const SUPER = { 'zookeeper.super_digest': 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=' }; // super:test

const int = (n) => { const b = Buffer.alloc(4); b.writeInt32BE(n); return b; };
const long = (n) => { const b = Buffer.alloc(8); b.writeBigInt64BE(BigInt(n)); return b; };
const text = (s) => Buffer.concat([int(Buffer.byteLength(s)), Buffer.from(s)]);

class Session {
  static async open(port) {
    const session = new Session();
    session.port = port;
    await session.connect();
    return session;
  }
  async connect() {
    const session = this;
    session.socket = net.connect(session.port, '127.0.0.1');
    session.bytes = Buffer.alloc(0);
    session.waiting = [];
    session.socket.on('data', (data) => session.take(data));
    session.socket.on('error', () => {});
    session.socket.on('close', () => session.waiting.splice(0).forEach(({ reject }) => reject(new Error('connection closed'))));
    await session.frame(int(0), long(0), int(10000), long(0), int(16), Buffer.alloc(16), Buffer.from([0]));
  }
  take(data) {
    this.bytes = Buffer.concat([this.bytes, data]);
    while (this.bytes.length >= 4 && this.bytes.length >= 4 + this.bytes.readInt32BE(0)) {
      const length = this.bytes.readInt32BE(0);
      this.waiting.shift()?.resolve(this.bytes.subarray(4, 4 + length));
      this.bytes = this.bytes.subarray(4 + length);
    }
  }
  frame(...parts) {
    const body = Buffer.concat(parts);
    this.socket.write(Buffer.concat([int(body.length), body]));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }
  /** {error, body} */
  async call(xid, op, ...parts) {
    const answer = await this.frame(int(xid), int(op), ...parts);
    return { error: answer.readInt32BE(12), body: answer.subarray(16) };
  }
  auth() { return this.call(-4, 100, int(0), text('digest'), text('super:test')); }
  /** A server that loses its leader meanwhile closes the connection: then it is asked for again, as clients do. */
  async reconfig(asked) {
    for (let turn = 0; ; turn++)
      try {
        return await this.reconfig_once(asked);
      } catch (error) {
        if (turn === 5 || error.message !== 'connection closed') throw error;
        await sleep(500);
        await this.connect().then(() => this.auth()).catch(() => {});
      }
  }
  async reconfig_once({ joining = '', leaving = '', members = '' }) {
    const { error, body } = await this.call(1, 16, text(joining), text(leaving), members ? text(members) : int(-1), long(-1));
    return error ? { error } : { error, servers: body.toString('utf8', 4, 4 + body.readInt32BE(0)).split('\n').filter((line) => line.startsWith('server.')) };
  }
}

/** "4=learner" and so on of each keyspace, by cairn status. */
async function members(cluster) {
  const { out } = await await_program(binary, ['status', '--node', `127.0.0.1:${cluster.redis(1)}`]);
  const rows = out.split('\n').map((line) => line.trim().split(/\s+/));
  const of = (keyspace) => rows.filter((row) => row[1] === keyspace && row[2] !== 'none').map((row) => `${row[0]}=${row[2]}`).join(' ');
  return [of('kv'), of('tree')];
}
const both = (told) => [told, told];
const THREE = '1=voter 2=voter 3=voter';
const settled = (cluster, wanted) => until(`the members are ${wanted}`, async () => {
  const told = await members(cluster);
  check(told.every((each) => each === wanted), told.join('; '));
  return true;
});

const with_cluster = async (run) => {
  const cluster = await Cluster.started({ sets: SUPER });
  const session = await Session.open(cluster.zookeeper(1));
  equal((await session.auth()).error, 0, 'auth');
  const server = (id, rest) => `server.${id}=127.0.0.1:${cluster.peer(id)}:${10000 + id}${rest}`;
  await run(cluster, session, server);
  session.socket.destroy();
  await cluster.stop_all();
};

test('a participant that is not there: no quorum of the new members, and nothing is changed', () => with_cluster(async (cluster, session, server) => {
  const began = Date.now();
  equal((await session.reconfig({ joining: server(4, ':participant;4444') })).error, -13);
  check(Date.now() - began < 11000, 'it took long');
  equal(await members(cluster), both(THREE));
  equal((await session.reconfig({ leaving: '4' })).error, 0, 'who is none leaves');
  equal(await members(cluster), both(THREE));
}));

test('several at once: all of them or none', () => with_cluster(async (cluster, session, server) => {
  cluster.spawn(5);
  const joining = `${server(5, ':observer;5555')},${server(6, ':participant;6666')}`;
  equal((await session.reconfig({ joining })).error, -13);
  equal(await members(cluster), both(THREE));
  cluster.spawn(6);
  const done = await session.reconfig({ joining });
  equal(done.error, 0);
  equal(done.servers.length, 5);
  await settled(cluster, `${THREE} 5=learner 6=voter`);
  equal((await session.reconfig({ leaving: '5,6' })).error, 0);
  await settled(cluster, THREE);
}));

test('a role is a role only in its place; clients have addresses of their own', () => with_cluster(async (cluster, session, server) => {
  cluster.spawn(4);
  const done = await session.reconfig({ joining: server(4, ':participant;observer-4.local:4444') });
  equal(done.error, 0);
  check(done.servers.some((line) => line.startsWith('server.4=') && line.includes(':participant;')), done.servers.join(' '));
  await settled(cluster, `${THREE} 4=voter`);
  // Each server tells its own address once, at its start; an operator's word behind that stays.
  await until('each server told where its clients find it', async () => {
    const { servers } = await session.reconfig({ joining: server(4, ':participant') });
    return servers?.length === 4 && servers.every((line) => line.includes(';'));
  });
  const moved = await session.reconfig({ joining: server(1, ':participant;127.0.0.1:9999') });
  equal(moved.error, 0);
  const stays = (servers) => check(servers.some((line) => line.startsWith('server.1=') && line.endsWith(';127.0.0.1:9999')), servers.join(' '));
  stays(moved.servers);
  // Servers look at each change of the configuration ten times a second.
  await sleep(500);
  stays((await session.reconfig({ joining: server(2, ':participant;127.0.0.1:9998') })).servers);
  equal((await session.reconfig({ joining: server(1, ':leader;1') })).error, -8, 'no such role');
}));

test('all members at once: who is not named leaves', () => with_cluster(async (cluster, session, server) => {
  cluster.spawn(4);
  const done = await session.reconfig({ members: [1, 2, 4].map((id) => server(id, ':participant')).join('\n') });
  equal(done.error, 0);
  await settled(cluster, '1=voter 2=voter 4=voter');
}));

await run_tests();
