// Clients that people have: redis-cli, redis-benchmark, hiredis, ioredis, node-redis, unchanged.
import fs from 'node:fs';
import path from 'node:path';
import { Client, Cluster, ErrorReply, await_program, call_program, check, encode, equal, has_program, here, parse, run_tests,
  skip, sleep, start_program, temporary_folder, test, until } from './lib.mjs';

const cluster = await Cluster.started();
const leader = await cluster.leader();
const follower = cluster.ids().find((id) => id !== leader);

// ---- redis-cli and redis-benchmark ----

const cli = (node, args, options) => {
  if (!has_program('redis-cli')) skip('redis-cli is not installed');
  return call_program('redis-cli', ['-p', String(cluster.redis(node)), ...args], options);
};

test('redis-cli sets and gets, on any node', async () => {
  equal(cli(follower, ['set', 'cli', 'hello']).out, 'OK\n');
  for (const node of cluster.ids()) equal(cli(node, ['get', 'cli']).out, 'hello\n');
});

test('redis-cli -3 speaks RESP3', async () => {
  equal(cli(1, ['-3', 'get', 'none']).out, '\n');
  check(cli(1, ['-3', 'hello', '3']).out.includes('proto'), 'HELLO');
  check(cli(1, ['-3', 'config', 'get', 'maxmemory-policy']).out.includes('noeviction'), 'CONFIG GET');
});

test('redis-cli --pipe loads commands in bulk', async () => {
  const commands = Buffer.concat(Array.from({ length: 20000 }, (_, i) => encode(['SET', `pipe:${i}`, `value ${i}`])));
  const { out } = cli(follower, ['--pipe'], { input: commands });
  check(/errors: 0, replies: 20000/.test(out), out);
  equal(cli(leader, ['get', 'pipe:19999']).out, 'value 19999\n');
});

test('redis-cli carries a value of 50 MiB there and back', async () => {
  const value = 'v'.repeat(50 << 20);
  // On a busy machine so much may take longer than an election timeout: then it is sent again.
  await until('it is set', () => cli(leader, ['-x', 'set', 'big'], { input: value }).out === 'OK\n', 50000);
  equal(cli(follower, ['get', 'big']).out.length, value.length + 1);
  equal(cli(follower, ['del', 'big']).out, '1\n');
});

test('redis-cli --scan walks over all keys', async () => {
  const { out } = cli(follower, ['--scan', '--pattern', 'pipe:1999?']);
  equal(out.trim().split('\n').sort(), Array.from({ length: 10 }, (_, i) => `pipe:1999${i}`));
});

test('redis-cli shows INFO and the HELP of commands', async () => {
  check(cli(1, ['info', 'server']).out.includes('redis_version:7.0.15'), 'INFO');
  for (const container of ['client', 'config', 'command', 'pubsub'])
    check(cli(1, [container, 'help']).out.includes('HELP'), container);
});

test('redis-benchmark ends without errors', async () => {
  if (!has_program('redis-benchmark')) skip('redis-benchmark is not installed');
  for (const node of [leader, follower]) {
    const { code, out } = await await_program('redis-benchmark', ['-p', String(cluster.redis(node)), '-t', 'ping,set,get,incr,mset', '-n', '10000', '-P', '16', '-q']);
    equal(code, 0, `exit code, ${out}`);
    for (const name of ['SET', 'GET', 'INCR', 'MSET'])
      check(new RegExp(`${name}.*requests per second`).test(out.replaceAll('\r', '\n')), `${name} in ${out}`);
    check(!/error/i.test(out), out);
  }
});

test('hiredis: calls, a pipeline, a subscriber', async () => {
  const program = path.join(temporary_folder(), 'hiredis_test');
  const built = call_program('cc', [path.join(here, 'hiredis_test.c'), '-o', program, '-lhiredis']);
  if (built.code !== 0) skip(`hiredis is not installed: ${built.err.split('\n')[0]}`);
  for (const node of [leader, follower]) {
    const { code, out } = await await_program(program, ['127.0.0.1', String(cluster.redis(node))]);
    equal(code, 0, out);
  }
});

// ---- ioredis ----

async function load(name) {
  try {
    return await import(name);
  } catch (error) {
    if (error.code === 'ERR_MODULE_NOT_FOUND') skip(`${name} is not installed`);
    throw error;
  }
}

async function with_ioredis(run, options = {}) {
  const { Redis } = await load('ioredis');
  const redis = new Redis({ port: cluster.redis(options.node ?? follower), host: '127.0.0.1', ...options });
  redis.on('error', () => {});
  try {
    await run(redis, Redis);
  } finally {
    redis.disconnect();
  }
}

test('ioredis: strings, expiry, errors with their codes', () => with_ioredis(async (redis) => {
  equal(await redis.set('io', 'x', 'EX', 100), 'OK');
  equal(await redis.get('io'), 'x');
  check((await redis.ttl('io')) > 90, 'ttl');
  equal(await redis.getBuffer('io'), Buffer.from('x'));
  equal(await redis.mset({ a: '1', b: '2' }), 'OK');
  equal(await redis.mget('a', 'b', 'none'), ['1', '2', null]);
  equal(await redis.set('short', 'x', 'PX', 50), 'OK');
  await sleep(80);
  equal(await redis.get('short'), null);
  await redis.incr('io').then(() => check(false, 'INCR of a word'), (error) => check(/^ERR value is not an integer/.test(error.message), error.message));
  await redis.call('HSET', 'h', 'f', 'v').then(() => check(false, 'HSET'), (error) => check(/not supported/.test(error.message), error.message));
}));

test('ioredis: MULTI, WATCH, pipelines, autopipelining', () => with_ioredis(async (redis) => {
  equal(await redis.multi().set('m', '1').incr('m').get('m').exec(), [[null, 'OK'], [null, 2], [null, '2']]);
  await redis.watch('m');
  equal(await redis.multi().incr('m').exec(), [[null, 3]]);
  await redis.watch('m');
  await redis.set('m', '10');
  equal(await redis.multi().incr('m').exec(), null);
  const results = await redis.pipeline(Array.from({ length: 5000 }, (_, i) => ['set', `p${i}`, String(i)])).exec();
  check(results.length === 5000 && results.every(([error, value]) => !error && value === 'OK'), 'pipeline');
  const replies = await Promise.all(Array.from({ length: 500 }, (_, i) => redis.get(`p${i}`)));
  equal(replies, Array.from({ length: 500 }, (_, i) => String(i)));
}, { enableAutoPipelining: true }));

test('ioredis: publications reach subscribers of other nodes', async () => {
  await with_ioredis(async (subscriber) => {
    const seen = [];
    subscriber.on('message', (channel, text) => seen.push(`${channel} ${text}`));
    subscriber.on('pmessage', (pattern, channel, text) => seen.push(`${pattern} ${channel} ${text}`));
    equal(await subscriber.subscribe('news', 'other'), 2);
    equal(await subscriber.psubscribe('n*'), 3);
    await with_ioredis(async (publisher) => {
      await publisher.publish('news', 'hello');
      await publisher.publish('nothing', 'there');
    }, { node: leader });
    await until('all messages', () => seen.length === 3);
    equal(seen, ['news hello', 'n* news hello', 'n* nothing there']);
    equal(await subscriber.unsubscribe('news'), 2);
    equal(await subscriber.ping(), ['pong', '']);
  });
});

test('ioredis: scanStream sees every key, duplicate() is a client of its own', () => with_ioredis(async (redis) => {
  await redis.pipeline(Array.from({ length: 3000 }, (_, i) => ['set', `scan:${i}`, '1'])).exec();
  const seen = new Set();
  for await (const keys of redis.scanStream({ match: 'scan:*', count: 500 })) keys.forEach((key) => seen.add(key));
  equal(seen.size, 3000);
  const twin = redis.duplicate();
  equal(await twin.get('scan:0'), '1');
  check((await twin.client('ID')) !== (await redis.client('ID')), 'ids differ');
  twin.disconnect();
}));

test('ioredis: comes back after CLIENT KILL', () => with_ioredis(async (redis, Redis) => {
  const id = await redis.client('ID');
  const other = new Redis({ port: cluster.redis(follower) });
  equal(await other.call('CLIENT', 'KILL', 'ID', id), 1);
  equal(await redis.set('after', 'kill'), 'OK');
  check((await redis.client('ID')) !== id, 'a new connection');
  other.disconnect();
}));

test('ioredis: names itself, and is in CLIENT LIST', () => with_ioredis(async (redis) => {
  equal(await redis.client('GETNAME'), 'my-name');
  const line = (await redis.client('LIST')).split('\n').find((each) => each.includes('name=my-name'));
  check(/cmd=client/.test(line), line);
}, { connectionName: 'my-name' }));

// ---- node-redis ----

async function with_node_redis(run, options = {}) {
  const { createClient } = await load('redis');
  const client = createClient({ url: `redis://127.0.0.1:${cluster.redis(options.node ?? follower)}`, ...options });
  client.on('error', () => {});
  await client.connect();
  try {
    await run(client);
  } finally {
    if (client.isOpen) await client.disconnect();
  }
}

test('node-redis: strings, options, expiry, iterators', () => with_node_redis(async (client) => {
  equal(await client.set('node', 'v', { EX: 100, NX: true }), 'OK');
  equal(await client.set('node', 'w', { NX: true }), null);
  equal(await client.getEx('node', { PERSIST: true }), 'v');
  equal(await client.ttl('node'), -1);
  equal(await client.incrByFloat('float', 1.5), '1.5');
  equal(await client.mGet(['node', 'none']), ['v', null]);
  const keys = [];
  for await (const key of client.scanIterator({ MATCH: 'node*' })) keys.push(key);
  equal(keys, ['node']);
  equal(await client.del('node'), 1);
}));

test('node-redis: MULTI, WATCH on an isolated client, a pipeline', () => with_node_redis(async (client) => {
  equal(await client.multi().set('nm', '1').incr('nm').exec(), ['OK', 2]);
  await client.executeIsolated(async (alone) => {
    await alone.watch('nm');
    await client.set('nm', '5');
    await alone.multi().incr('nm').exec().then(() => check(false, 'WATCH'), (error) => equal(error.constructor.name, 'WatchError'));
  });
  const replies = await Promise.all(Array.from({ length: 2000 }, (_, i) => client.set(`np${i}`, `${i}`)));
  check(replies.every((reply) => reply === 'OK'), 'pipelined');
}));

test('node-redis: a subscriber on another node, and a reconnection', () => with_node_redis(async (client) => {
  const subscriber = client.duplicate({ url: `redis://127.0.0.1:${cluster.redis(leader)}` });
  subscriber.on('error', () => {});
  await subscriber.connect();
  const seen = [];
  await subscriber.subscribe('nr', (text) => seen.push(text));
  await client.publish('nr', 'one');
  await until('the message', () => seen.length === 1);
  await until('a killed subscriber subscribes anew', async () => {
    const killer = await cluster.client(leader);
    await killer.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    killer.close();
    return true;
  });
  await until('messages again', async () => {
    await client.publish('nr', 'two');
    return seen.includes('two');
  });
  await subscriber.disconnect();
}));

// ---- what no client library shows ----

test('RESP3 shapes: maps, nulls, pushes, doubles', async () => {
  const client = await cluster.client(follower);
  equal(String(await client.bytes_of('GET', 'none')), '$-1\r\n');
  check(String(await client.bytes_of('HELLO', '3')).startsWith('%7\r\n'), 'HELLO is a map');
  equal(String(await client.bytes_of('GET', 'none')), '_\r\n');
  check(String(await client.bytes_of('CONFIG', 'GET', 'hz')).startsWith('%1\r\n'), 'CONFIG GET is a map');
  client.socket.write(encode(['SUBSCRIBE', 'three']));
  await until('a push', () => client.pushed.length === 1);
  equal(String(client.pushed[0]), '>3\r\n$9\r\nsubscribe\r\n$5\r\nthree\r\n:1\r\n');
  equal(await client.call('PUBLISH', 'three', 'm'), 1); // a subscriber of RESP3 may go on with commands
  await until('its message', () => client.pushed.length === 2);
  client.close();
});

test('a reply is in the protocol version that was spoken when it was asked for', async () => {
  const client = await cluster.client(follower);
  const lines = [['SET', 'x', '1'], ['GET', 'none'], ['HELLO', '3'], ['GET', 'none'], ['HELLO', '2'], ['GET', 'none']];
  const replies = await client.raw(Buffer.concat(lines.map(encode)), lines.length);
  equal([replies[1], replies[3], replies[5]].map(String), ['$-1\r\n', '_\r\n', '$-1\r\n']);
  client.close();
});

test('a publication never overtakes the confirmation of its subscription', async () => {
  const publisher = await cluster.client(leader);
  let stop = false;
  const publishing = (async () => {
    while (!stop) await publisher.call('PUBLISH', 'order', 'm');
  })();
  for (let i = 0; i < 30; i++) {
    const client = await cluster.client(follower);
    client.socket.write(Buffer.concat([encode(['SET', 'order', '1']), encode(['SUBSCRIBE', 'order'])]));
    await until('confirmation and message', () => client.pushed.length >= 3);
    equal(String(client.pushed[0]), '+OK\r\n');
    equal(parse(client.pushed[1])[0], 'subscribe', 'second');
    equal(parse(client.pushed[2])[0], 'message', 'third');
    client.close();
  }
  stop = true;
  await publishing;
  publisher.close();
});

test('publications of one client arrive everywhere in its order', async () => {
  const subscribers = await Promise.all(cluster.ids().map((id) => cluster.client(id)));
  for (const subscriber of subscribers) subscriber.socket.write(encode(['SUBSCRIBE', 'counted']));
  await until('all subscribed', () => subscribers.every((each) => each.pushed.length === 1));
  const publisher = await cluster.client(follower);
  await publisher.raw(Buffer.concat(Array.from({ length: 1000 }, (_, i) => encode(['PUBLISH', 'counted', i]))), 1000);
  await until('all arrived', () => subscribers.every((each) => each.pushed.length === 1001));
  for (const subscriber of subscribers) {
    equal(subscriber.pushed.slice(1).map((push) => Number(parse(push)[2])), Array.from({ length: 1000 }, (_, i) => i));
    subscriber.close();
  }
  publisher.close();
});

test('replies keep their order whatever each command waits for', async () => {
  const client = await cluster.client(follower);
  const commands = [], expected = [];
  for (let i = 0; i < 300; i++) {
    commands.push(['SET', 'ord', i], ['GET', 'ord'], ['PING', `p${i}`], ['ECHO', `e${i}`], ['NOSUCH'], ['WATCH', 'ord'], ['MULTI'], ['INCR', 'cnt'], ['EXEC'], ['TIME']);
    expected.push('OK', String(i), `p${i}`, `e${i}`);
  }
  const replies = (await client.raw(Buffer.concat(commands.map(encode)), commands.length)).map(parse);
  for (let i = 0; i < 300; i++) {
    equal(replies.slice(10 * i, 10 * i + 4), expected.slice(4 * i, 4 * i + 4));
    check(replies[10 * i + 4] instanceof ErrorReply, 'an error in its place');
    equal(replies[10 * i + 8], [i + 1], 'EXEC');
  }
  client.close();
});

test('CLIENT PAUSE holds writes and lets reads pass; UNPAUSE ends it', async () => {
  const [one, two] = [await cluster.client(follower), await cluster.client(follower)];
  await one.call('CLIENT', 'PAUSE', '60000', 'WRITE');
  let done = false;
  const write = two.call('SET', 'paused', '1').then(() => (done = true));
  equal(await one.call('GET', 'none'), null);
  await sleep(50);
  equal(done, false);
  await one.call('CLIENT', 'UNPAUSE');
  await write;
  one.close();
  two.close();
});

test('WAIT tells how many further replicas hold the writes', async () => {
  const client = await cluster.client(await cluster.leader()); // the others only know of a majority
  await client.call('SET', 'waited', '1');
  equal(await client.call('WAIT', 2, 5000), 2);
  const began = Date.now();
  equal(await client.call('WAIT', 9, 100), 2);
  check(Date.now() - began >= 90, 'it waited');
  client.close();
});

test('large MULTIs, large pipelines and large replies pass through a follower', async () => {
  const client = await cluster.client(follower);
  const value = 'x'.repeat(20 << 20);
  // As above: hundreds of megabytes may cost a leader its term on a busy machine.
  await until('it is set', async () => (await client.call('SET', 'large', value)) === 'OK', 50000);
  const commands = [['MULTI'], ...Array.from({ length: 12 }, () => ['GET', 'large']), ['EXEC']];
  const last = await until('the transaction is executed', async () => {
    const reply = parse((await client.raw(Buffer.concat(commands.map(encode)), commands.length)).at(-1));
    return reply instanceof ErrorReply ? undefined : reply;
  }, 50000);
  equal(last.length, 12);
  equal(last[0].length, value.length);
  check(last[11] instanceof ErrorReply && /larger than the limit/.test(last[11].message), 'the part that is too much');
  cluster.check_alive();
  const sets = Array.from({ length: 10 }, () => cluster.client(follower));
  const clients = await Promise.all(sets);
  await Promise.all(clients.map((each) => each.ask('GETSET', 'large', value)));
  cluster.check_alive();
  equal(await client.call('PING'), 'PONG');
  await until('it is deleted', async () => {
    await client.call('DEL', 'large');
    return (await client.call('EXISTS', 'large')) === 0;
  });
  for (const each of [client, ...clients]) each.close();
});

test('nobody died of all this, and the nodes stop cleanly', async () => {
  cluster.check_alive();
  await cluster.stop_all();
});

run_tests();
