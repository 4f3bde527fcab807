// Clients and strangers that mean harm, or are merely broken: the node survives, holds little for
// them, and goes on serving others.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { Client, Cluster, ErrorReply, check, encode, equal, here, parse, run_tests, sleep, start_program, test, until } from './lib.mjs';

const cluster = await Cluster.started();
const node = 1;
const GROWTH_MAX = 64 << 20;

function dial(port, on_open = () => {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      on_open(socket);
      resolve(socket);
    });
    socket.on('error', (error) => (socket.connecting ? reject(error) : undefined));
  });
}

/** Opens connections, some at a time: a listener's queue is finite. */
async function dial_many(count, on_open) {
  const sockets = [];
  for (let at = 0; at < count; at += 250) {
    const some = await Promise.all(Array.from({ length: Math.min(250, count - at) }, () => dial(cluster.redis(node), on_open)));
    sockets.push(...some);
  }
  return sockets;
}

async function growth(before, what, socket_count, most = GROWTH_MAX) {
  await sleep(300);
  const grown = cluster.memory_bytes(node) - before;
  console.log(`    ${what}: ${(grown / 1048576).toFixed(1)} MiB for ${socket_count} connections`);
  check(grown <= most, `${what}: memory grew by ${(grown / 1048576).toFixed(1)} MiB`);
}

async function still_serves() {
  const client = await cluster.client(node);
  equal(await client.call('SET', 'still', 'here'), 'OK');
  equal(await client.call('GET', 'still'), 'here');
  client.close();
  cluster.check_alive();
}

const COUNT = Number(process.env.HOSTILE_CONNECTIONS ?? 9900);

async function crowd(name, on_open, { after_ms = 200, most = GROWTH_MAX } = {}) {
  const before = cluster.memory_bytes(node);
  const sockets = await dial_many(COUNT, on_open);
  try {
    await sleep(after_ms);
    await growth(before, name, sockets.length, most);
    await still_serves();
  } finally {
    for (const socket of sockets) socket.destroy();
    await until('they are gone', async () => (await cluster.metric(node, 'cairn_redis_clients')) < 20, 20000);
  }
}

test(`${COUNT} idle clients take little memory`, () => crowd('idle', () => {}));

test(`${COUNT} clients with half a command each take little memory`, () =>
  crowd('half a command', (socket) => socket.write('*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1000\r\nhalf of the value')));

// What they ask for is kept, for each may be one that writes everything before it reads; not their replies.
test(`${COUNT} clients that never read take little more memory than what they sent`, async () => {
  const client = await cluster.client(node);
  await client.call('SET', 'unread', 'x'.repeat(1000));
  client.close();
  const pipeline = Buffer.concat(Array.from({ length: 1000 }, () => encode(['GET', 'unread'])));
  await crowd('never reading', (socket) => {
    socket.pause();
    socket.write(pipeline);
  }, { after_ms: 2000, most: GROWTH_MAX + 2 * COUNT * pipeline.length });
});

test('a flood of commands from clients that never read costs no more than what they sent', async () => {
  const before = cluster.memory_bytes(node);
  const flood = Buffer.concat(Array.from({ length: 20000 }, () => encode(['PING', 'x'.repeat(100)])));
  const sockets = await Promise.all(Array.from({ length: 50 }, () => dial(cluster.redis(node), (socket) => {
    socket.pause();
    socket.write(flood);
  })));
  await sleep(1000);
  await growth(before, 'flood', sockets.length, GROWTH_MAX + sockets.length * flood.length);
  await still_serves();
  for (const socket of sockets) socket.destroy();
});

test('a subscriber that never reads is closed, and others get their messages', async () => {
  const lazy = await dial(cluster.redis(node), (socket) => {
    socket.pause();
    socket.write(encode(['SUBSCRIBE', 'loud']));
  });
  const subscriber = await cluster.client(node);
  subscriber.socket.write(encode(['SUBSCRIBE', 'loud']));
  await until('subscribed', () => subscriber.pushed.length === 1);
  const before = cluster.memory_bytes(node);
  const publisher = await cluster.client(2);
  const message = 'm'.repeat(100000); // 120 MB: the kernel holds 36 MB of it for one that never reads
  for (let i = 0; i < 120; i++) await publisher.raw(Buffer.concat(Array.from({ length: 10 }, () => encode(['PUBLISH', 'loud', message]))), 10);
  await until('all messages', () => subscriber.pushed.length === 1201);
  await until('the lazy one is closed', async () => parse((await subscriber_count()))[1] === 1);
  async function subscriber_count() {
    const client = await cluster.client(node);
    const reply = await client.bytes_of('PUBSUB', 'NUMSUB', 'loud');
    client.close();
    return reply;
  }
  check(cluster.memory_bytes(node) - before < 2 * GROWTH_MAX, 'memory');
  lazy.destroy();
  for (const client of [subscriber, publisher]) client.close();
  await still_serves();
});

test('a slow one that sends a byte at a time is served, and disturbs nobody', async () => {
  const slow = await cluster.client(node);
  const bytes = encode(['SET', 'slow', 'value']);
  const reply = slow.raw(bytes.subarray(0, 1));
  for (let i = 1; i < bytes.length; i++) {
    await sleep(2);
    slow.socket.write(bytes.subarray(i, i + 1));
    if (i % 10 === 0) await still_serves();
  }
  equal(String((await reply)[0]), '+OK\r\n');
  slow.close();
});

test('oversize and malformed requests are refused, counted, and end the connection', async () => {
  const before = await cluster.metric(node, 'cairn_redis_protocol_errors_total');
  const wrongs = [`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${65 << 20}\r\n`, '*1048577\r\n', '*1\r\n$-7\r\n', '*x\r\n', '*1\r\n!3\r\n', 'GET "a\r\n', 'y'.repeat(70000), '*2\r\n$4\r\nECHO\r\n$3\r\nabcdef\r\n'];
  for (const wrong of wrongs) {
    const client = await cluster.client(node);
    const [reply] = await client.raw(Buffer.from(wrong));
    check(String(reply).startsWith('-ERR'), String(reply));
    await Promise.race([client.end, sleep(2000).then(() => check(false, `it stays open after ${wrong.slice(0, 30)}`))]);
  }
  equal(await cluster.metric(node, 'cairn_redis_protocol_errors_total'), before + wrongs.length);
  const client = await cluster.client(node);
  const reply = await client.ask('GET', Buffer.alloc(17 << 20, 'k'));
  check(reply instanceof ErrorReply, 'a key of 17 MiB');
  client.close();
  await still_serves();
});

// The same random bytes in every run.
function* random_bytes(seed) {
  for (let x = seed; ;) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    yield x >>> 24;
  }
}
function garbage(seed, count) {
  const bytes = Buffer.alloc(count), random = random_bytes(seed);
  for (let i = 0; i < count; i++) bytes[i] = random.next().value;
  return bytes;
}

test('garbage on the Redis port', async () => {
  await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const socket = await dial(cluster.redis(node));
    socket.write(garbage(i, 5000));
    await sleep(100);
    socket.destroy();
  }));
  await still_serves();
});

async function says_to_peer_port(bytes) {
  const socket = await dial(cluster.peer(node));
  const ended = new Promise((resolve) => socket.on('close', () => resolve('closed')));
  socket.resume();
  socket.on('error', () => {});
  socket.write(bytes);
  const end = await Promise.race([ended, sleep(2000)]);
  socket.destroy();
  return end;
}

test('garbage and frames out of place on the peer port: closed, counted, nobody is disturbed', async () => {
  const before = await cluster.metric(node, 'cairn_frames_bad_total');
  const term = (await cluster.status(node)).term;
  const ends = await Promise.all(Array.from({ length: 20 }, (_, i) => says_to_peer_port(garbage(1000 + i, 3000))));
  check(ends.every((end) => end === 'closed'), 'all closed');
  check((await cluster.metric(node, 'cairn_frames_bad_total')) >= before + 20, 'counted');
  equal((await cluster.status(node)).term, term, 'term');
  await still_serves();
});

/** What node 1 says first to whoever calls: a true hello, to be bent. */
async function true_hello() {
  const socket = await dial(cluster.peer(node));
  const bytes = await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  return bytes;
}

test('a true hello with any byte changed is refused', async () => {
  const hello = await true_hello();
  const before = await cluster.metric(node, 'cairn_frames_bad_total');
  for (let at = 0; at < hello.length; at += 7) {
    const bent = Buffer.from(hello);
    bent[at] ^= 0x40;
    equal(await says_to_peer_port(Buffer.concat([bent, Buffer.alloc(40)])), 'closed', `byte ${at}`);
  }
  check((await cluster.metric(node, 'cairn_frames_bad_total')) > before, 'counted');
});

test("a node's own hello, sent back to it, is refused and counted", async () => {
  const before = await cluster.metric(node, 'cairn_links_refused_total');
  equal(await says_to_peer_port(await true_hello()), 'closed');
  equal(await cluster.metric(node, 'cairn_links_refused_total'), before + 1);
});

test('strangers who never say hello, however many and however often, do not keep a peer out', async () => {
  const dialled = { over: false, sockets: new Set(), count: 0 };
  const again = () => {
    if (dialled.over) return;
    dialled.count++;
    const socket = net.connect(cluster.peer(node), '127.0.0.1').on('error', () => {}).resume();
    dialled.sockets.add(socket.on('close', () => (dialled.sockets.delete(socket), setTimeout(again, 5))));
  };
  for (let i = 0; i < 300; i++) again();
  await cluster.kill(3);
  await cluster.start(3);
  await until('both links of node 1 are up', async () => (await cluster.status(node)).links_up === 2, 20000);
  const open = fs.readdirSync(`/proc/${cluster.pid(node)}/fd`).length;
  check(open < 150, `${open} descriptors for ${dialled.count} strangers`);
  dialled.over = true;
  for (const socket of dialled.sockets) socket.destroy();
  await still_serves();
});

const stranger = (...words) => start_program('python3', [path.join(here, 'stranger.py'), ...words.map(String)]);

test('nodes that are no members hold little memory, however much they begin to say', async () => {
  const child = stranger('fill', cluster.peer(node), 20, 50, 1);
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, cluster.memory_bytes(node))), 10);
  equal((await child.ended).code, 0);
  clearInterval(timer);
  equal(child.text.trim(), '20', 'links that came up');
  check(most < 250 << 20, `${most >> 20} MiB`);
  console.log(`    ${most >> 20} MiB while 20 strangers sent 50 MiB each`);
  await still_serves();
});

test('messages that mean nothing are counted in the log, not told one by one', async () => {
  const before = cluster.logs[node].length;
  const child = stranger('flood', cluster.peer(node), 77, 1);
  equal((await child.ended).code, 0);
  check(Number(child.text) >= 1000, `${child.text.trim()} were sent`);
  const lines = cluster.logs[node].slice(before).split('\n').length;
  check(lines < 60, `${lines} lines`);
  await still_serves();
});

test('more clients than allowed are turned away, and room is found again', async () => {
  const client = await cluster.client(node);
  await client.call('CONFIG', 'SET', 'maxclients', '20');
  const sockets = await Promise.all(Array.from({ length: 40 }, () => dial(cluster.redis(node)).catch(() => null)));
  await until('rejections', async () => (await cluster.metric(node, 'cairn_redis_rejected_total')) > 0);
  for (const socket of sockets) socket?.destroy();
  await until('room', async () => {
    const other = await cluster.client(node);
    const reply = await Promise.race([other.call('PING'), sleep(200)]);
    other.close();
    return reply === 'PONG';
  });
  await client.call('CONFIG', 'SET', 'maxclients', '10000');
  client.close();
});

test('nobody died, and the nodes stop cleanly', async () => {
  cluster.check_alive();
  await cluster.stop_all();
});

run_tests();
