// cairn import zookeeper: files as a ZooKeeper server leaves them become the data of a cluster.
import fs from 'node:fs';
import path from 'node:path';
import { Cluster, binary, cairn, check, equal, http, run_tests, start_program, temporary_folder, test, until } from './lib.mjs';

// ---- ZooKeeper's files ----

const int = (value) => { const bytes = Buffer.alloc(4); bytes.writeInt32BE(value); return bytes; };
const long = (value) => { const bytes = Buffer.alloc(8); bytes.writeBigInt64BE(BigInt(value)); return bytes; };
const block = (bytes) => Buffer.concat([int(Buffer.byteLength(bytes)), Buffer.from(bytes)]);
const header = (magic) => Buffer.concat([Buffer.from(magic), int(2), long(-1)]);
const SESSION = 0x1000000000abcdn;

function adler32(bytes) {
  let a = 1, b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

const node = (name, data, { owner = 0, zxid = 1, creations = 0 } = {}) => Buffer.concat([block(name), block(data), long(-1),
  long(zxid), long(zxid), long(1700000000000), long(1700000000000), int(0), int(creations), int(0), long(owner), long(zxid)]);

function snapshot() {
  const body = Buffer.concat([header('ZKSN'), int(1), long(SESSION), int(60000), int(0), node('', '', { creations: 1 }),
    node('/a', 'one', { creations: 2 }), node('/a/b', 'two'), node('/a/e', 'mine', { owner: SESSION }), block('/')]);
  return Buffer.concat([body, long(adler32(body)), block('/')]);
}

function create(zxid, name) {
  const body = Buffer.concat([long(SESSION), int(1), long(zxid), long(1700000001000), int(1), block(name), block('made'),
    int(1), int(31), block('world'), block('anyone'), Buffer.from([0]), int(zxid)]);
  return Buffer.concat([long(adler32(body)), block(body), Buffer.from('B')]);
}

/** A data folder with a snapshot of zxid 5 and a log behind it, which is preallocated. */
function data_folder({ damaged = false, cut = 0, missing = 0 } = {}) {
  const folder = temporary_folder(), version = path.join(folder, 'version-2');
  fs.mkdirSync(version);
  const bytes = snapshot();
  if (damaged) bytes[bytes.length - 40] ^= 1;
  fs.writeFileSync(path.join(version, 'snapshot.5'), bytes);
  const log = Buffer.concat([header('ZKLG'), create(6 + missing, '/x'), create(7 + missing, '/y')]);
  fs.writeFileSync(path.join(version, 'log.6'), cut ? log.subarray(0, log.length - cut) : Buffer.concat([log, Buffer.alloc(5000)]));
  return folder;
}

const import_into = (from, to, ...more) => cairn('import', 'zookeeper', from, '--dir', to, ...more);
const mntr = async (port) => JSON.parse((await http(port, '/commands/mntr')).text);

// ---- stories ----

test('what was imported is served by every node, and after a restart', async () => {
  const folder = path.join(temporary_folder(), 'data'), spare = await Cluster.make();
  const { code, out } = import_into(data_folder(), folder, '--port-offset', String(spare.offset));
  equal(code, 0, out);
  check(out.includes('snapshot.5 and 2 transactions behind it: 9 nodes (1 ephemeral), 1 sessions, zxid 0x7.'), out);
  check(cairn('inspect', path.join(folder, 'node-2')).code === 0, 'inspect');
  for (let round = 0; round < 2; round++) {
    const dev = start_program(binary, ['dev', '--dir', folder, '--port-offset', String(spare.offset)]);
    await until('it serves', () => dev.text.includes('The cluster serves.'));
    for (const id of [1, 2, 3]) {
      const seen = await mntr(spare.admin(id));
      equal(seen.znode_count, 9, `nodes seen by ${id}`);
      equal(seen.ephemerals_count, 1, `ephemerals seen by ${id}`);
    }
    dev.kill('SIGINT');
    equal((await dev.ended).code, 0);
  }
});

test('a folder that is there is not touched', async () => {
  const folder = temporary_folder();
  const { code, err } = import_into(data_folder(), folder);
  equal(code, 1);
  check(err.includes('there already'), err);
  equal(fs.readdirSync(folder).length, 0);
});

test('damage is told, and then nothing is made', async () => {
  const cases = [[data_folder({ damaged: true }), 'no snapshot that is whole'], [data_folder({ missing: 1 }), 'transaction 0x6 is missing'],
    [temporary_folder(), 'no snapshot that is whole']];
  for (const [from, wanted] of cases) {
    const to = path.join(temporary_folder(), 'data');
    const { code, err } = import_into(from, to);
    equal(code, 1, wanted);
    check(err.includes(wanted), err);
    check(!fs.existsSync(to) && !fs.existsSync(`${to}.importing`), 'nothing was made');
  }
});

test('a damaged snapshot is passed over for an older one, and a log may be cut short by a kill', async () => {
  const from = data_folder({ cut: 7 }), to = path.join(temporary_folder(), 'data');
  fs.writeFileSync(path.join(from, 'version-2', 'snapshot.6'), snapshot().subarray(0, 100));
  const { code, out } = import_into(from, to, '--nodes', '1');
  equal(code, 0, out);
  check(out.includes('Note: ') && out.includes('snapshot.5 and 1 transactions'), out);
});

await run_tests();
