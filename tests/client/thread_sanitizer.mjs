// A cluster of a binary that was built with the thread sanitizer, under a mixed load with snapshots:
// exit code 0 only when every process ends with 0 and the sanitizer said nothing.
// Usage: node tests/client/thread_sanitizer.mjs BINARY [SECONDS]
import path from 'node:path';
import { Cluster, ErrorReply, check, encode, sleep, until } from './lib.mjs';

const [program, seconds = '10'] = process.argv.slice(2);
if (!program) {
  console.error('usage: thread_sanitizer.mjs BINARY [SECONDS]');
  process.exit(3);
}

const cluster = await Cluster.make({
  program: path.resolve(program),
  sets: { 'log.snapshot_log_mb': 1, 'log.segment_mb': 1, 'log.snapshot_trailing': 10, 'log.window_mb': 0, 'raft.request_timeout_ms': 10000 },
});
let replies = 0, errors = 0;

async function load(node, until_ms) {
  const client = await cluster.client(node);
  const value = 'x'.repeat(2000);
  for (let i = 0; Date.now() < until_ms; i++) {
    const key = `key:${node}:${i % 1000}`;
    const commands = [['SET', key, value], ['GET', key], ['INCR', `n:${node}`], ['SET', `e:${i % 50}`, '1', 'PX', '20'], ['MGET', key, 'e:1'], ['DBSIZE'],
      ['WATCH', key], ['MULTI'], ['APPEND', key, 'y'], ['EXEC'], ['PUBLISH', 'channel', 'm'], ['INFO'], ['SCAN', '0']];
    for (const reply of await client.raw(Buffer.concat(commands.map(encode)), commands.length)) {
      replies++;
      if (reply[0] === 45) errors++;
    }
  }
  client.close();
}

try {
  await cluster.start_all();
  const subscriber = await cluster.client(2);
  subscriber.socket.write(encode(['SUBSCRIBE', 'channel']));
  const end = Date.now() + Number(seconds) * 1000;
  const loads = [1, 2, 3, 1].map((node) => load(node, end));
  await sleep(Number(seconds) * 400);
  // A node that was away is sent a snapshot.
  const leader = await cluster.leader();
  const away = [1, 2, 3].find((id) => id !== leader);
  cluster.children[away].kill('SIGSTOP');
  await sleep(1500);
  cluster.children[away].kill('SIGCONT');
  await Promise.all(loads.map((each) => each.catch((error) => check(/closed/.test(error.message), error.message))));
  await until('snapshots were taken', async () => (await cluster.metric(leader, 'cairn_snapshots_taken_total')) > 0);
  subscriber.close();
  await cluster.stop_all();
  for (const [id, text] of Object.entries(cluster.logs))
    check(!text.includes('ThreadSanitizer'), `node ${id}:\n${text.slice(0, 20000)}`);
  check(replies > 100 && errors < replies / 2, `${replies} replies, ${errors} errors`);
  console.log(`${replies} replies, ${errors} of them errors, no complaints`);
  process.exit(0);
} catch (error) {
  console.log(error.stack);
  console.log(cluster.told());
  process.exit(1);
}
