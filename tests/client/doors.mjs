// Both doors: what was answered is delivered however a connection ends, what clients make a node hold has
// bounds that hurt nobody else, and short descriptors are no broken disk.
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { Client, Cluster, binary, call_program, check, encode, equal, http, parse, run_tests, sleep, start_program, temporary_folder, test,
  until } from './lib.mjs';

const MB = 1 << 20;
const files = temporary_folder();
const certified = call_program('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
  '-keyout', path.join(files, 'key.pem'), '-out', path.join(files, 'cert.pem'), '-subj', '/CN=server']).code === 0;
const cluster = await Cluster.make();
const tls_sets = (id) => (certified ? {
  'zookeeper.tls_listen': `127.0.0.1:${cluster.zookeeper(id) + 1000}`, 'zookeeper.tls_cert': path.join(files, 'cert.pem'),
  'zookeeper.tls_key': path.join(files, 'key.pem'), 'zookeeper.tls_clients': 'none' } : {});
for (const id of cluster.ids()) cluster.spawn(id, { 'cluster.bootstrap': 'yes', ...tls_sets(id) });
for (const id of cluster.ids()) await cluster.ready(id);

/** All that comes until the server ends the connection; slow: reads a little now and then. */
function whole(socket, { slow = false } = {}) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    socket.on('error', reject);
    socket.on('data', (data) => {
      chunks.push(data);
      if (slow) {
        socket.pause();
        setTimeout(() => socket.resume(), 5);
      }
    });
    socket.on('end', () => resolve(Buffer.concat(chunks)));
  });
}
const dial = (port, text, { end = false, ...options } = {}) => {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  if (end) socket.end(text);
  else socket.write(text);
  return whole(socket, options);
};
const times = (count, ...command) => Buffer.concat(Array.from({ length: count }, () => encode(command)));

// ---- ends ----

test('QUIT behind a long reply, at every node, read fast and slowly, with more commands behind it', async () => {
  const client = await cluster.client(1);
  await client.call('SETRANGE', 'big', 8 * MB - 1, 'x');
  client.close();
  const length = 8 * MB + `$${8 * MB}\r\n\r\n+OK\r\n`.length;
  for (const id of cluster.ids())
    for (const slow of [false, true]) {
      const got = await dial(cluster.redis(id), Buffer.concat([encode(['GET', 'big']), encode(['QUIT']), times(20000, 'PING')]), { slow });
      equal(got.length, length, `node ${id}, ${slow ? 'slow' : 'fast'}`);
      check(got.subarray(-5).toString() === '+OK\r\n', 'the last reply');
    }
});

test('a client that ends its side gets all replies, of reads, of writes, and of those forwarded', async () => {
  for (const id of cluster.ids()) {
    const got = await dial(cluster.redis(id), Buffer.concat([times(2000, 'SET', 'half', 'way'), times(2000, 'GET', 'half')]), { end: true });
    equal(got.toString(), '+OK\r\n'.repeat(2000) + '$3\r\nway\r\n'.repeat(2000), `node ${id}`);
  }
});

test('a protocol error and a refused password are told before the end', async () => {
  const error = await dial(cluster.redis(1), Buffer.concat([encode(['GET', 'big']), Buffer.from('*x\r\n'), Buffer.alloc(4 * MB, 120)]));
  check(error.length > 8 * MB && error.toString('latin1', error.length - 60).includes('-ERR Protocol error'), 'the error');
});

/** A session that watches many paths. */
async function watch_many(port, count) {
  const block = (text) => Buffer.concat([Buffer.from([0, 0, text.length >> 8, text.length & 255]), Buffer.from(text)]);
  const frame = (...parts) => {
    const body = Buffer.concat(parts), head = Buffer.alloc(4);
    head.writeInt32BE(body.length);
    return Buffer.concat([head, body]);
  };
  const int = (value) => Buffer.from([value >> 24, value >> 16, value >> 8, value].map((byte) => byte & 255));
  const socket = net.connect(port, '127.0.0.1');
  let answered = 0, rest = Buffer.alloc(0);
  socket.on('data', (data) => {
    for (rest = Buffer.concat([rest, data]); rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(); answered++)
      rest = rest.subarray(4 + rest.readInt32BE());
  });
  socket.write(frame(int(0), Buffer.alloc(8), int(30000), Buffer.alloc(8), block('\0'.repeat(16))));
  await until('a session', () => answered === 1);
  for (let i = 0; i < count; i++) socket.write(frame(int(i + 1), int(3), block(`/a-path-that-is-not-there-and-has-a-long-name-${i}`), Buffer.from([1])));
  await until('watches', () => answered === count + 1);
  return socket;
}

test('a word of many lines comes whole, by plain bytes and by TLS, to those who read slowly too', async () => {
  const sockets = [];
  for (let i = 0; i < 20; i++) sockets.push(await watch_many(cluster.zookeeper(2), 1000));
  for (const slow of [false, true]) {
    const got = (await dial(cluster.zookeeper(2), 'wchc', { slow })).toString();
    equal(got.split('\n').filter((line) => line.includes('/a-path')).length, 20000, 'lines');
  }
  if (certified) {
    const secure = tls.connect({ port: cluster.zookeeper(2) + 1000, host: '127.0.0.1', rejectUnauthorized: false }, () => secure.write('wchc'));
    equal((await whole(secure, { slow: true })).toString().split('\n').filter((line) => line.includes('/a-path')).length, 20000, 'by TLS');
  }
  check((await dial(cluster.zookeeper(2), 'ruok', { end: true })).toString() === 'imok', 'a word and the end of its side');
  for (const socket of sockets) socket.destroy();
});

test('what is paused is not executed for a client that has gone', async () => {
  const client = await cluster.client(1), held = await cluster.client(1);
  await client.call('CLIENT', 'PAUSE', 1500, 'ALL');
  held.socket.write(encode(['SET', 'held', 'by nobody']));
  await sleep(200);
  held.close();
  await sleep(2000);
  equal(await client.call('EXISTS', 'held'), 0);
  client.close();
});

// ---- bursts, and what is not read ----

test('half a million commands written before the first reply is read', async () => {
  for (const [id, command, reply] of [[1, ['SET', 'k', 'v'.repeat(20)], '+OK'], [2, ['GET', 'k'], 'v'.repeat(20)], [3, ['ECHO', 'e'.repeat(100)], 'e'.repeat(100)]]) {
    const socket = net.connect({ port: cluster.redis(id), host: '127.0.0.1' });
    socket.pause();
    const part = times(10000, ...command);
    for (let i = 0; i < 50; i++) await new Promise((resolve) => socket.write(part, resolve));
    const reply_length = command[0] === 'SET' ? 5 : reply.length + `$${reply.length}\r\n\r\n`.length;
    let got = 0;
    socket.on('data', (data) => (got += data.length)).resume();
    await until(`all replies to ${command[0]}`, () => got === 500000 * reply_length, 60000);
    socket.destroy();
  }
}, { timeout_ms: 180000 });

test('long commands, replies and messages come whole through every node', async () => {
  const value = 'abcdefgh'.repeat(2 * MB); // 16 MiB
  for (const id of cluster.ids()) {
    const client = await cluster.client(id), subscriber = await cluster.client(id);
    subscriber.socket.write(encode(['SUBSCRIBE', `long-${id}`]));
    await until('subscribed', () => subscriber.pushed.length === 1);
    equal(await client.call('SET', 'long', value), 'OK');
    equal(await client.call('GET', 'long'), value);
    const session = await client.call('CAIRN.SESSION');
    const once = ['CAIRN.ONCE', String(session), '1', 'APPEND', 'long', value];
    equal(await client.call(...once), 2 * value.length);
    equal(await client.call(...once), 2 * value.length, 'a retry gets the first reply');
    equal(await client.call('STRLEN', 'long'), 2 * value.length);
    for (const command of [['MULTI'], ['SET', 'long', value], ['GETSET', 'long', 'short'], ['PUBLISH', `long-${id}`, value], ['GET', 'long']]) await client.call(...command);
    const results = await client.call('EXEC');
    equal(results.length, 4);
    check(results[0] === 'OK' && results[1] === value && results[3] === 'short', 'what the transaction answered');
    equal(await client.call('PUBLISH', `long-${id}`, value), 1);
    await until('both messages', () => subscriber.pushed.length === 3);
    check(subscriber.pushed.slice(1).every((push) => parse(push)[2] === value), 'the messages');
    for (const each of [client, subscriber]) each.close();
  }
}, { timeout_ms: 120000 });

test('many large values that are not read take no gigabytes, and others are served', async () => {
  const client = await cluster.client(2);
  await client.call('SET', 'large', 'x'.repeat(1000000));
  await client.call('SET', 'small', 'x');
  const before = cluster.memory_bytes(2);
  const lazy = await Promise.all(Array.from({ length: 200 }, () => new Promise((resolve) => {
    const socket = net.connect(cluster.redis(2), '127.0.0.1', () => socket.write(times(1000, 'GET', 'large'), () => resolve(socket.pause())));
  })));
  let worst = 0, most = 0;
  for (let i = 0; i < 40; i++) {
    const began = Date.now();
    equal(await client.call('GET', 'small'), 'x');
    worst = Math.max(worst, Date.now() - began);
    most = Math.max(most, cluster.memory_bytes(2) - before);
    await sleep(50);
  }
  console.log(`    ${(most / MB).toFixed(0)} MiB for 200,000 replies of a megabyte, others waited ${worst} ms at most`);
  check(most < 700 * MB, 'memory');
  let got = 0;
  lazy[7].on('data', (data) => (got += data.length)).resume();
  await until('one that reads after all has everything', () => got === 1000 * (1000000 + '$1000000\r\n\r\n'.length), 60000);
  for (const socket of lazy) socket.destroy();
  client.close();
}, { timeout_ms: 120000 });

// ---- limits ----

test('strangers have small limits, a wrong password costs time and is counted, and others are not hurt', async () => {
  const lone = await Cluster.make({ nodes: 1, sets: { 'redis.password': 'secret' } });
  await lone.start_all();
  const hogs = await Promise.all(Array.from({ length: 13 }, () => Client.open(lone.redis(1))));
  const refused = await hogs[0].raw(Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$62914560\r\n'));
  check(String(refused[0]).includes('unauthenticated bulk length'), String(refused));
  const known = await lone.client(1);
  await known.call('AUTH', 'secret');
  equal(await known.call('SET', 'k', 'x'.repeat(2000000)), 'OK');
  const began = Date.now();
  check((await hogs[1].ask('AUTH', 'guess')).message.startsWith('WRONGPASS'), 'WRONGPASS');
  check(Date.now() - began > 200, 'it takes a while');
  equal(await lone.metric(1, 'cairn_redis_wrong_passwords_total'), 1);
  for (const client of [...hogs, known]) client.close();
  await lone.stop_all();
});

test('at clients_max: an error in words, and operators are still let in', async () => {
  const small = await Cluster.make({ sets: { 'redis.clients_max': 20 } });
  await small.start_all();
  const clients = [];
  for (let i = 0; i < 20; i++) {
    clients.push(await small.client(1));
    await clients[i].call('PING');
  }
  check((await dial(small.redis(1), '')).toString() === '-ERR max number of clients reached\r\n', 'to a silent one');
  check((await dial(small.redis(1), encode(['GET', 'a']))).toString() === '-ERR max number of clients reached\r\n', 'to a command');
  const told = call_program(small.program, ['status', '--node', `127.0.0.1:${small.redis(1)}`]);
  equal(told.code, 0, told.out + told.err);
  for (const client of clients) client.close();
  await until('room', async () => (await small.client(1).then(async (client) => {
    const reply = await client.ask('PING');
    client.close();
    return reply;
  })) === 'PONG');
  await small.stop_all();
});

test('with few descriptors, all taken by clients, a log that needs new files goes on', async () => {
  const few = await Cluster.make({ sets: { 'log.segment_mb': 1 } });
  few.spawn = function (node, extra = {}) {
    const args = this.args(node, extra).map((arg) => `'${arg}'`).join(' ');
    const child = start_program('sh', ['-c', `ulimit -n 200; exec '${this.program}' ${args}`]);
    child.stdout.on('data', (data) => (this.logs[node] = (this.logs[node] ?? '') + data));
    child.stderr.on('data', (data) => (this.logs[node] = (this.logs[node] ?? '') + data));
    return (this.children[node] = child);
  };
  await few.start_all();
  check(few.logs[1].includes('ulimit -n'), 'the limit is told');
  const client = await few.client(1);
  const idle = [];
  for (const id of few.ids())
    for (let i = 0; i < 300; i++) {
      const socket = net.connect(few.redis(id), '127.0.0.1');
      socket.on('error', () => {});
      idle.push(socket);
    }
  await sleep(1000);
  for (let i = 0; i < 70; i++) equal(await client.call('SET', `key-${i % 7}`, 'x'.repeat(1000000)), 'OK');
  equal((await http(few.admin(1), '/health')).text.trim(), 'ok');
  few.check_alive();
  for (const socket of idle) socket.destroy();
  client.close();
  await few.stop_all();
}, { timeout_ms: 90000 });

/** Connections that ask, each byte in its own time, and are made anew when they are closed. */
function slow_askers(port, count) {
  const words = Buffer.from(`GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ${'s'.repeat(1000)}`);
  const asker = { stopped: false, sockets: new Set() };
  const begin = () => {
    if (asker.stopped) return;
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    let at = 0;
    const timer = setInterval(() => socket.write(words.subarray(at, ++at)), 100);
    asker.sockets.add(socket.on('close', () => (clearInterval(timer), asker.sockets.delete(socket), begin())));
  };
  for (let i = 0; i < count; i++) begin();
  asker.stop = () => {
    asker.stopped = true;
    for (const socket of asker.sockets) socket.destroy();
  };
  return asker;
}

test('admin connections that are held, slow, or come and go keep no one out', async () => {
  const healthy = async (what) => equal((await http(cluster.admin(3), '/health')).status, 200, what);
  const held = Array.from({ length: 150 }, () => net.connect(cluster.admin(3), '127.0.0.1').on('error', () => {}));
  await sleep(300);
  await healthy('while they are held');
  for (const socket of held) socket.destroy();
  await sleep(300);
  await healthy('when they have gone');
  const slow = slow_askers(cluster.admin(3), 300);
  let left = 1000;
  const come_and_go = () => net.connect(cluster.admin(3), '127.0.0.1', function () {
    this.destroy();
  }).on('error', () => {}).on('close', () => left-- > 0 && come_and_go());
  for (let i = 0; i < 10; i++) come_and_go();
  for (let i = 0; i < 20; i++, await sleep(50)) await healthy('among slow ones');
  slow.stop();
  await healthy('when those have gone');
});

/** Every signal but those that ask for an end or a stop, or tell of a program's own error. */
const meant = ['KILL', 'TERM', 'INT', 'QUIT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'ABRT', 'IOT', 'SEGV', 'BUS', 'FPE', 'ILL', 'TRAP', 'SYS', 'XCPU'];
const strays = [...Object.entries(os.constants.signals).filter(([name]) => !meant.includes(name.slice(3))).map(([, number]) => number), 34, 40, 64];

test('stray signals end neither a node nor cairn dev', async () => {
  for (const signal of strays) process.kill(cluster.pid(3), signal);
  await until('SIGHUP is told', () => cluster.logs[3].includes(certified ? 'certificates were read again' : 'nothing to read again'));
  equal((await http(cluster.admin(3), '/health')).status, 200);
  const spare = await Cluster.make();
  const dev = start_program(binary, ['dev', '--nodes', '1', '--dir', spare.folder, '--port-offset', String(spare.offset)]);
  await until('it serves', () => dev.text.includes('The cluster serves.'));
  for (const signal of strays) process.kill(dev.pid, signal);
  await until('the node was told', () => dev.text.includes('the secret file was read again'));
  equal((await http(spare.admin(1), '/health')).status, 200);
  dev.kill('SIGTERM');
  equal((await dev.ended).code, 0);
});

test('a node that is started before its predecessor has ended waits for it', async () => {
  const dead = cluster.kill(3);
  const before = cluster.logs[3].length;
  cluster.spawn(3);
  await cluster.ready(3);
  await dead;
  await cluster.kill(3);
  const holder = start_program('flock', [path.join(cluster.dir(3), 'lock'), 'sleep', '0.5']);
  await until('the lock is held', () => call_program('flock', ['-n', path.join(cluster.dir(3), 'lock'), 'true']).code === 1);
  cluster.spawn(3);
  await cluster.ready(3);
  equal((await holder.ended).code, 0);
  const told = cluster.logs[3].slice(before).split('waiting up to 3 s for its end').length - 1;
  check(told === 1 || told === 2, cluster.logs[3].slice(before));
});

test('nobody died, and the nodes stop cleanly', async () => {
  cluster.check_alive();
  await cluster.stop_all();
});

await run_tests();
