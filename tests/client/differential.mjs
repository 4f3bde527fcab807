// The same bytes to cairn and to Redis, and the same bytes back: replies, errors, protocol errors.
import { Client, Cluster, check, encode, equal, free_port, has_program, parse, run_tests, skip, sleep, start_program,
  temporary_folder, test, until } from './lib.mjs';

// What is different on purpose. Each entry: when the command matches, what to do with both replies.
const DELIBERATE = [
  { why: 'types and services that this version does not have are named as such',
    when: (command, reply) => /^-ERR command '.*' is not supported by this version of cairn/.test(reply) },
  { why: 'the picture is a cairn, whatever the version asked for', when: (command) => /^LOLWUT/.test(command) },
  { why: 'parameters are told in the order of a table, with their own names', when: (command) => /^CONFIG GET (maxmemory hz|MAXMEMORY)/.test(command) },
];
// The same for bytes on the wire.
const DELIBERATE_RAW = {
  'count too large': 'a million arguments are the limit, and an error at once',
  'a body longer than told': 'a bulk string must end where it said',
};

const long = 'x'.repeat(300);
const R = (text) => Buffer.from(text, 'latin1');

// One list of commands a story; each story begins with FLUSHALL and runs with RESP2 and RESP3.
const STORIES = {
  'strings': [
    'SET a 1', 'GET a', 'GET none', 'SET a 2 NX', 'SET a 3 XX', 'SET none 3 XX', 'SET a 4 GET', 'SET new 4 GET', 'SET a 5 NX GET',
    'SET a b EX 0', 'SET a b EX -1', 'SET a b EX x', 'SET a b PX 0', 'SET a b EX 10 PX 10', 'SET a b KEEPTTL EX 3', 'SET a b NX XX',
    'SET a b BAD', 'SET a b EX', 'SET a b EXAT 1', 'GET a', 'SET a b PXAT 1', 'EXISTS a', 'SET a b EX 9223372036854775807',
    'SET a b EXAT 9223372036854775807', 'SET a b get nx', 'SETNX a 1', 'SETNX b 1', 'SETEX a 10 v', 'SETEX a 0 v', 'SETEX a x v',
    'PSETEX a 0 v', 'PSETEX a -5 v', 'PSETEX a 100000 v', 'GETSET a n', 'GETSET zz n', 'GETDEL a', 'GETDEL a', 'GETEX b', 'GETEX b EX 100',
    'TTL b', 'GETEX b PERSIST', 'TTL b', 'GETEX b EX 0', 'GETEX b BAD', 'GETEX b EX 1 PX 1', 'GETEX none EX 1', 'GETEX b PERSIST EX 3', 'APPEND app x', 'APPEND app yz',
    'GET app', 'STRLEN app', 'STRLEN none', 'GETRANGE app 0 -1', 'GETRANGE app 1 1', 'GETRANGE app -2 -1', 'GETRANGE app 5 9', 'GETRANGE app 2 1',
    'GETRANGE none 0 -1', 'GETRANGE app x 1', 'SUBSTR app 0 1', 'SETRANGE app 5 Q', 'GET app', 'SETRANGE app -1 Q', 'SETRANGE app 536870912 Q', 'SETRANGE none 0 ""',
    'SETRANGE app x Q', 'MSET k1 1 k2 2', 'MSET k1 1 k2', 'MGET k1 k2 none', 'MSETNX k1 1 k9 9', 'MSETNX m1 1 m2 2', 'MSETNX m1', 'LCS k1 k2', 'SET s1 ohmytext', 'SET s2 mynewtext',
    'LCS s1 s2', 'LCS s1 s2 LEN', 'LCS s1 s2 IDX', 'LCS s1 s2 IDX MINMATCHLEN 4', 'LCS s1 s2 IDX WITHMATCHLEN', 'LCS s1 s2 LEN IDX', 'LCS s1 s2 BAD',
    'LCS s1 s2 MINMATCHLEN x',
  ],
  'numbers': [
    'INCR n', 'INCR n', 'DECR n', 'INCRBY n 10', 'DECRBY n 3', 'INCRBY n x', 'INCRBY n 1.5', 'SET n abc', 'INCR n', 'SET n " 1"', 'INCR n', 'SET n 01', 'INCR n',
    'SET n 9223372036854775807', 'INCR n', 'SET n -9223372036854775808', 'DECR n', 'DECRBY n -9223372036854775808', 'INCRBY n -1',
    'SET n 9223372036854775808', 'INCR n', 'SET f 1.5', 'INCRBYFLOAT f 0.1', 'INCRBYFLOAT f 1e3', 'INCRBYFLOAT f x', 'INCRBYFLOAT f inf',
    'INCRBYFLOAT f nan', 'INCRBYFLOAT newf -0.0', 'SET f abc', 'INCRBYFLOAT f 1', 'SET f 1e400', 'INCRBYFLOAT f 1', 'SET f 3.0e3', 'INCRBYFLOAT f 200', 'SET f 5', 'INCRBYFLOAT f 0.00000000000000001',
    'INCRBYFLOAT big 1e17', 'INCRBYFLOAT big 1.23456789', 'SET f " 1"', 'INCRBYFLOAT f 1', 'INCR', 'INCRBY n', 'INCRBYFLOAT f', 'DECR a b',
  ],
  'bits': [
    'SETBIT b 7 1', 'SETBIT b 7 0', 'GETBIT b 7', 'GETBIT b 100', 'SETBIT b -1 1', 'SETBIT b 4294967296 1', 'SETBIT b 0 2', 'SETBIT b x 1', 'GETBIT b -1', 'GETBIT b x',
    'SET foo foobar', 'BITCOUNT foo', 'BITCOUNT foo 0 0', 'BITCOUNT foo 1 1', 'BITCOUNT foo 0 -1 BIT', 'BITCOUNT foo 5 30 BIT', 'BITCOUNT foo 0', 'BITCOUNT foo a b', 'BITCOUNT foo 0 1 BAD',
    'BITCOUNT none', 'BITPOS foo 1', 'BITPOS foo 0', 'BITPOS foo 2', 'BITPOS foo 1 2', 'BITPOS foo 1 2 -1 BIT', 'BITPOS none 0', 'BITPOS none 1', 'BITPOS foo x', 'BITPOS foo 0 6', 'BITPOS foo 1 0 1 BAD',
    'BITOP AND d foo b', 'BITOP OR d foo b', 'BITOP XOR d foo b', 'BITOP NOT d foo', 'BITOP NOT d foo b', 'BITOP BAD d foo', 'GET d', 'BITOP AND d none', 'EXISTS d', 'BITOP AND d',
    'BITFIELD bf SET u8 0 255', 'BITFIELD bf GET u8 0 GET i8 0', 'BITFIELD bf INCRBY u8 0 10', 'BITFIELD bf OVERFLOW SAT INCRBY u8 0 250', 'BITFIELD bf OVERFLOW FAIL INCRBY u8 0 250',
    'BITFIELD bf OVERFLOW BAD', 'BITFIELD bf GET u64 0', 'BITFIELD bf GET i65 0', 'BITFIELD bf GET u8 #1', 'BITFIELD bf GET', 'BITFIELD bf', 'BITFIELD bf SET i5 100 1', 'BITFIELD_RO bf GET u8 0', 'BITFIELD_RO bf SET u8 0 1',
    'BITFIELD bf GET u8 -1', 'BITFIELD bf BAD u8 0', 'BITFIELD none GET u8 0', 'EXISTS none', 'BITFIELD bf SET u8 0 x',
  ],
  'keys': [
    'MSET a 1 b 2 c 3', 'DEL a none', 'UNLINK b b', 'EXISTS c c none', 'TYPE c', 'TYPE none', 'TOUCH c none', 'RENAME none x', 'RENAME c d', 'RENAME d d', 'RENAMENX d e', 'SET x 1', 'RENAMENX e x',
    'RENAMENX none x', 'COPY e f', 'COPY e f', 'COPY e f REPLACE', 'COPY e e', 'COPY none f', 'COPY e f DB 0', 'COPY e f BAD', 'COPY e f DB x', 'KEYS nomatch*', 'SET only 1', 'KEYS onl?', 'KEYS o[n]ly', 'KEYS [^a]nly', 'DBSIZE', 'SCAN x',
    'SCAN 0 COUNT 0', 'SCAN 0 COUNT x', 'SCAN 0 BAD', 'SCAN 0 MATCH', 'SCAN 0 COUNT 1000 MATCH only', 'SCAN 0 COUNT 1000 MATCH only TYPE string', 'SCAN 0 COUNT 1000 TYPE hash', 'SCAN 0 COUNT 1000 TYPE bad', 'FLUSHDB BAD', 'FLUSHDB SYNC', 'DBSIZE', 'FLUSHALL ASYNC', 'FLUSHALL SYNC ASYNC', 'RANDOMKEY', 'SET single 1', 'RANDOMKEY',
    'OBJECT ENCODING single', 'OBJECT ENCODING none', 'SET t hello', 'OBJECT ENCODING t', `SET l ${long}`, 'OBJECT ENCODING l', 'OBJECT REFCOUNT none', 'OBJECT BAD t', 'OBJECT ENCODING', 'OBJECT FREQ t', 'MEMORY USAGE none', 'MEMORY BAD', 'MEMORY USAGE', 'DUMP none',
    'DEL', 'EXISTS', 'RENAME a', 'TYPE', 'COPY a', 'KEYS', 'SCAN', 'DBSIZE x', 'RANDOMKEY x',
  ],
  'expiry': [
    'SET a 1', 'TTL a', 'PTTL a', 'TTL none', 'PTTL none', 'EXPIRE a 100', 'TTL a', 'EXPIRE none 100', 'EXPIRE a x', 'EXPIRE a 9223372036854775807', 'EXPIRE a 100 NX', 'EXPIRE a 50 GT', 'EXPIRE a 50 LT',
    'EXPIRE a 10 XX', 'EXPIRE a 10 NX XX', 'EXPIRE a 10 GT LT', 'EXPIRE a 10 BAD', 'PERSIST a', 'PERSIST a', 'PERSIST none', 'EXPIRE a 10 XX', 'EXPIRE a 10 GT', 'EXPIRE a 10 LT', 'EXPIREAT a 99999999999', 'EXPIRETIME a', 'PEXPIRETIME a', 'PEXPIREAT a 99999999999999', 'PEXPIRETIME a',
    'EXPIRETIME none', 'PEXPIRETIME none', 'EXPIREAT a 1', 'EXISTS a', 'SET a 1', 'EXPIRE a 0', 'EXISTS a', 'SET a 1', 'EXPIRE a -1', 'EXISTS a', 'SET a 1', 'PEXPIRE a 100000', 'EXPIRE a 100 NX', 'SET a 2 KEEPTTL', 'SET a 1 EX 100', 'APPEND a x', 'TTL a', 'GETSET a q', 'TTL a',
    'SET src v EX 100', 'RENAME src dst', 'TTL dst', 'COPY dst cp', 'TTL cp', 'SET dst v', 'TTL dst', 'EXPIRE a', 'PEXPIREAT a x', 'EXPIRE a 10 nx gt', 'PEXPIRE a -9223372036854775808', 'PEXPIREAT none 5',
  ],
  'dump and restore': [
    'SET a hello', 'DUMP a', 'SET n 12345', 'DUMP n', 'SET n -1', 'DUMP n', 'SET n 70000', 'DUMP n', `SET l ${long}`, 'RESTORE x 0 bad', 'RESTORE x -1 bad', 'RESTORE a 0 bad', 'RESTORE x y bad', 'RESTORE x 0 bad BAD', 'RESTORE x 0 bad IDLETIME -1', 'RESTORE x 0 bad FREQ 256', 'RESTORE x',
    ['RESTORE', 'r', '0', R('\x00\x05hello\x0a\x00\x93\xbe\xc2\x41\x0d\x0a\x01\x02')],
  ],
  'transactions': [
    'MULTI', 'SET a 1', 'INCR a', 'GET a', 'EXEC', 'MULTI', 'MULTI', 'EXEC', 'EXEC', 'DISCARD', 'MULTI', 'SET a', 'EXEC', 'MULTI', 'NOSUCH', 'EXEC', 'MULTI', 'SET a x', 'INCR a', 'SET b 2', 'EXEC', 'GET b', 'MULTI', 'DISCARD', 'WATCH a', 'SET a y', 'MULTI', 'GET a', 'EXEC',
    'WATCH a', 'MULTI', 'GET a', 'EXEC', 'WATCH a', 'UNWATCH', 'SET a z', 'MULTI', 'GET a', 'EXEC', 'MULTI', 'WATCH a', 'EXEC', 'WATCH', 'MULTI', 'EXEC', 'MULTI', 'PING', 'ECHO hi', 'PING x', 'EXEC', 'MULTI', 'UNWATCH', 'EXEC', 'MULTI', 'CLIENT NOSUCH', 'EXEC', 'MULTI', 'CLIENT SETNAME', 'EXEC', 'EXEC x', 'MULTI', 'GET a', 'EXEC x', 'EXEC',
    'MULTI x', 'EXEC x', 'DISCARD x', 'WATCH none', 'SET none 1', 'MULTI', 'EXEC', 'WATCH e', 'DEL e', 'MULTI', 'PING', 'EXEC', 'SET w 1', 'WATCH w', 'SET w 1', 'MULTI', 'PING', 'EXEC', 'MULTI', 'PUBLISH ch m', 'EXEC', 'MULTI', 'SELECT 0', 'TYPE a', 'MGET a none', 'EXEC', 
    'MULTI', 'CLIENT GETNAME', 'CONFIG GET maxmemory-policy', 'COMMAND COUNT BAD', 'EXEC', 'MULTI', 'FUNCTION FLUSH', 'EXEC', 'MULTI', 'RESET', 'EXEC', 
  ],
  'connection': [
    'PING', 'PING hello', 'PING a b', 'ECHO x', 'ECHO', 'SELECT 0', 'SELECT x', 'SELECT 99', 'SELECT -1', 'SELECT', 'CLIENT SETNAME me', 'CLIENT GETNAME', 'CLIENT SETNAME "a b"', 'CLIENT SETNAME ""', 'CLIENT GETNAME', 'CLIENT NOSUCH', 'CLIENT', 'CLIENT KILL', 'CLIENT KILL 1.2.3.4:5', 'CLIENT KILL ID x', 'CLIENT KILL ID 0', 'CLIENT KILL ID -5',
    'CLIENT KILL BAD x', 'CLIENT KILL ADDR 1.2.3.4:5', 'CLIENT KILL TYPE bad', 'CLIENT KILL SKIPME maybe', 'CLIENT KILL USER nobody', 'CLIENT KILL ID 12345678', 'CLIENT LIST TYPE bad', 'CLIENT LIST BAD', 'CLIENT LIST ID x', 'CLIENT PAUSE x', 'CLIENT PAUSE -1', 'CLIENT PAUSE 0 BAD', 'CLIENT UNPAUSE', 'CLIENT REPLY BAD', 'CLIENT REPLY ON', 'CLIENT NO-EVICT BAD', 'CLIENT NO-EVICT ON', 'CLIENT NO-EVICT OFF', 'CLIENT UNBLOCK x', 'CLIENT UNBLOCK 5', 'CLIENT GETREDIR',
    'CLIENT ID x', 'CLIENT REPLY', 'CLIENT PAUSE', 'CLIENT SETNAME', 'AUTH x', 'AUTH default x', 'AUTH nobody x', 'AUTH a b c', 'AUTH', 'WAIT 0 0', 'WAIT x 0', 'WAIT 0 -1', 'WAIT 0 x', 'WAIT 0', 'TIME x', 'LOLWUT VERSION x', 'FUNCTION FLUSH', 'FUNCTION LIST', 'FUNCTION', 'QUITE', 'NOSUCH', 'NOSUCH a b c', `NOSUCH ${long} ${long}`, `${long} a`, 'CLIENT HELP x', 'RESET', 'RESET x', 'CLIENT GETNAME',
    'HELLO x', 'HELLO 1', 'HELLO 4', 'HELLO 2 BAD', 'HELLO 2 AUTH a', 'HELLO 2 AUTH nobody x', 'HELLO 2 SETNAME', 'HELLO 2 SETNAME "a b"', 'COMMAND NOSUCH', 'COMMAND INFO nosuch', 'COMMAND GETKEYS GET a', 'COMMAND GETKEYS MSET a 1 b 2', 'COMMAND GETKEYS GET', 'COMMAND GETKEYS PING', 'COMMAND GETKEYS NOSUCH', 'COMMAND GETKEYS DEL a b c', 'COMMAND GETKEYS', 'COMMAND DOCS nosuch', 'COMMAND COUNT x', 'COMMAND LIST x', 'COMMAND GETKEYS BITOP AND d a b', 'COMMAND GETKEYS OBJECT ENCODING k', 'COMMAND GETKEYS MEMORY USAGE k',
    'CONFIG GET nosuch', 'CONFIG GET maxmemory-policy', 'CONFIG GET', 'CONFIG SET nosuch 1', 'CONFIG SET maxmemory', 'CONFIG', 'CONFIG NOSUCH', 'CONFIG RESETSTAT', 'CONFIG RESETSTAT x', 'CONFIG SET hz 20', 'CONFIG GET hz', 'CONFIG SET hz 10', 'CONFIG SET maxmemory 0', 'CONFIG SET maxmemory abc', 'CONFIG GET maxmemory hz', 'CONFIG GET MAXMEMORY', 'CONFIG SET', 'CONFIG SET hz 10 hz 11', 'INFO nosuch',
  ],
  'pub/sub': [
    'PUBLISH c m', 'PUBLISH c', 'PUBSUB CHANNELS', 'PUBSUB CHANNELS x*', 'PUBSUB NUMSUB', 'PUBSUB NUMSUB a b', 'PUBSUB NUMPAT', 'PUBSUB NOSUCH', 'PUBSUB', 'PUBSUB NUMPAT x', 'PUBSUB CHANNELS a b', 'PUBSUB SHARDCHANNELS', 'PUBSUB SHARDNUMSUB', 'PUBSUB SHARDNUMSUB a', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'UNSUBSCRIBE nosuch', 'SUBSCRIBE', 'PSUBSCRIBE',
  ],
  'arity': [
    ...['GET', 'SET a', 'GETEX', 'GETDEL', 'GETSET a', 'SETNX a', 'SETEX a 1', 'PSETEX a 1', 'MGET', 'MSET a', 'MSETNX a', 'APPEND a', 'STRLEN', 'GETRANGE a 1', 'SUBSTR a 1', 'SETRANGE a 1', 'INCR', 'DECR', 'INCRBY a', 'DECRBY a', 'INCRBYFLOAT a', 'LCS a', 'SETBIT a 1', 'GETBIT a', 'BITCOUNT', 'BITPOS a', 'BITOP AND a', 'BITFIELD', 'BITFIELD_RO', 'DEL', 'UNLINK', 'EXISTS', 'TYPE', 'TOUCH', 'RENAME a', 'RENAMENX a', 'COPY a', 'KEYS', 'SCAN', 'RANDOMKEY x', 'DBSIZE x', 'EXPIRE a', 'PEXPIRE a', 'EXPIREAT a', 'PEXPIREAT a', 'TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME', 'PERSIST', 'DUMP', 'RESTORE a 1', 'OBJECT', 'MEMORY', 'PUBLISH a', 'ECHO', 'WAIT 1', 'MULTI 1', 'EXEC 1', 'WATCH', 'UNWATCH x', 'SUBSCRIBE', 'TIME x', 'SELECT'],
    ...['get a b', 'Ttl a b', 'GETRANGE a 1 2 3', 'PERSIST a b', 'SETBIT a 1 1 1', 'APPEND a b c'],
  ],
};

// Bytes that are no array of bulk strings, or no proper one. Each on a connection of its own; what
// comes back until silence or close is compared.
const RAW = {
  'inline': 'PING\r\n', 'inline without CR': 'PING\n', 'inline quotes': 'ECHO "a\\x41\\n b"\r\n', 'inline single quotes': "ECHO 'a\\'b'\r\n", 'inline unbalanced': 'ECHO "a\r\n', 'inline glued quote': 'ECHO "a"b\r\n', 'empty line': '\r\nPING\r\n', 'blank line': '   \r\nPING\r\n', 'inline glued in front': 'ECHO a"b"\r\n', 'inline empty': 'ECHO ""\r\n',
  'two at once': 'PING\r\nPING\r\n', 'no such inline': 'NOSUCH a\r\n', 'zero arguments': '*0\r\nPING\r\n', 'negative count': '*-1\r\nPING\r\n', 'count no number': '*abc\r\n', 'count too large': '*1048577\r\n', 'huge count': '*99999999999999999999\r\n', 'bulk no number': '*1\r\n$abc\r\n', 'bulk negative': '*1\r\n$-1\r\n', 'bulk huge': '*1\r\n$99999999999\r\n',
  'no dollar': '*1\r\nPING\r\n', 'colon for dollar': '*1\r\n:1\r\n', 'blank count': '*\r\n', 'blank bulk': '*1\r\n$\r\n', 'leading blank': '* 1\r\n$4\r\nPING\r\n', 'plus sign': '*+1\r\n$4\r\nPING\r\n', 'leading zero': '*01\r\n$4\r\nPING\r\n', 'a body longer than told': '*1\r\n$4\r\nPINGX\r\nPING\r\n',
  'empty name': '*1\r\n$0\r\n\r\n', 'binary name': '*1\r\n$3\r\n\x00\x01\xff\r\n', 'line ends in a name': '*1\r\n$4\r\na\r\nb\r\n', 'line ends in an argument': '*2\r\n$6\r\nNOSUCH\r\n$3\r\na\nb\r\n', 'error after good ones': '*1\r\n$4\r\nPING\r\n*1\r\n$-5\r\n*1\r\n$4\r\nPING\r\n', 'QUIT': 'QUIT\r\nPING\r\n', 'too long inline': 'x'.repeat(70000), 'POST': 'POST / HTTP/1.1\r\nHost: x\r\n\r\n', 'Host': 'Host: x\r\n',
  'protocol of each reply': '*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n*2\r\n$5\r\nHELLO\r\n$1\r\n9\r\n*2\r\n$3\r\nGET\r\n$4\r\nnone\r\n', 'MULTI in one write': '*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nEXEC\r\n', 'reply skip': '*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n*1\r\n$4\r\nPING\r\nPING\r\n', 'reply off': 'CLIENT REPLY OFF\r\nPING\r\nSET a b\r\nCLIENT REPLY ON\r\nPING\r\n', 'skip a write': 'CLIENT REPLY SKIP\r\nSET q 1\r\nGET q\r\n',
  'subscriber of RESP2': 'SUBSCRIBE a b a\r\nPSUBSCRIBE p*\r\nGET x\r\nPING\r\nPING x\r\nUNSUBSCRIBE a\r\nUNSUBSCRIBE nosuch\r\nPUNSUBSCRIBE\r\nUNSUBSCRIBE\r\nPING\r\nSUBSCRIBE\r\n', 'subscriber resets': 'SUBSCRIBE a\r\nRESET\r\nPING\r\nGET x\r\n', 'MULTI resets': 'MULTI\r\nSET a 1\r\nRESET\r\nEXEC\r\n', 'subscriber quits': 'SUBSCRIBE a\r\nQUIT\r\n', 'watch then all at once': 'SET w 1\r\nWATCH w\r\nMULTI\r\nGET w\r\nEXEC\r\n', 'unsubscribe first': 'UNSUBSCRIBE\r\nPUNSUBSCRIBE a b\r\n', 'skip twice': 'CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n', 'skip an error': 'CLIENT REPLY SKIP\r\nNOSUCH\r\nPING\r\n', 'off then skip': 'CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\nCLIENT REPLY ON\r\nPING\r\n',
};

let pair;
async function servers() {
  if (!has_program('redis-server')) skip('redis-server is not installed');
  if (pair) return pair;
  const cluster = await Cluster.started({ nodes: 1 });
  const port = await free_port();
  start_program('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', temporary_folder(), '--databases', '1', '--proto-max-bulk-len', '64mb']);
  await until('redis-server answers', async () => (await Client.open(port)).call('PING'));
  pair = { ours: cluster.redis(1), theirs: port, cluster };
  return pair;
}

/** Words with double quotes, as the stories are written. */
const words = (line) => Array.isArray(line) ? line
  : [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]);

// The numbers of a moment: they may differ a little.
const MOMENTS = /^(P?TTL|MEMORY USAGE|OBJECT REFCOUNT)\b/i;
function alike(command, ours, theirs) {
  if (ours.equals(theirs)) return true;
  if (DELIBERATE.some(({ when }) => when(command, ours.toString('latin1')))) return true;
  if (MOMENTS.test(command) && ours[0] === 58 && theirs[0] === 58)
    return Math.abs(parse(ours) - parse(theirs)) < 2000;
  return false;
}

async function compare_story(commands, protocol) {
  const { ours, theirs } = await servers();
  const clients = [await Client.open(ours), await Client.open(theirs)];
  const differences = [];
  for (const client of clients) {
    await client.call('HELLO', protocol);
    await client.call('FLUSHALL');
  }
  for (const command of commands) {
    const [a, b] = await Promise.all(clients.map((client) => Promise.race([
      client.pushed.length ? client.pushed.shift() : client.bytes_of(...words(command)), sleep(3000).then(() => Buffer.from('(silence)'))])));
    if (!alike(String(command), a, b)) differences.push(`${command}\n    cairn ${JSON.stringify(a.toString('latin1'))}\n    redis ${JSON.stringify(b.toString('latin1'))}`);
    if (clients.some((client) => client.closed)) break;
  }
  for (const client of clients) client.close();
  check(differences.length === 0, `${differences.length} differences:\n${differences.join('\n')}`);
}

for (const [name, commands] of Object.entries(STORIES))
  for (const protocol of [2, 3])
    test(`replies equal Redis': ${name}, RESP${protocol}`, () => compare_story(commands, protocol));

/** Everything that comes back until the server closes or falls silent. */
async function said_to(port, bytes) {
  const client = await Client.open(port);
  const chunks = [];
  client.socket.removeAllListeners('data');
  client.socket.on('data', (data) => chunks.push(data));
  client.socket.write(Buffer.from(bytes, 'latin1'));
  await Promise.race([client.end, sleep(150)]);
  const closed = client.closed;
  client.close();
  return Buffer.concat(chunks).toString('latin1') + (closed ? '(closed)' : '');
}

test("bytes on the wire are answered as Redis answers them", async () => {
  const { ours, theirs } = await servers();
  const differences = [];
  await Promise.all(Object.entries(RAW).map(async ([name, bytes]) => {
    const [a, b] = await Promise.all([said_to(ours, bytes), said_to(theirs, bytes)]);
    if (a !== b && !DELIBERATE_RAW[name]) differences.push(`${name}\n    cairn ${JSON.stringify(a)}\n    redis ${JSON.stringify(b)}`);
  }));
  check(differences.length === 0, `${differences.length} differences:\n${differences.join('\n')}`);
});

test('a request is understood wherever it is cut', async () => {
  const { ours } = await servers();
  const bytes = Buffer.concat([encode(['SET', 'cut', 'a\r\nb']), Buffer.from('GET cut\r\n'), encode(['GET', 'cut'])]);
  for (let at = 1; at < bytes.length; at++) {
    const client = await Client.open(ours);
    const replies = client.raw(bytes.subarray(0, at), 3);
    await sleep(1);
    client.socket.write(bytes.subarray(at));
    equal((await replies).map(String), ['+OK\r\n', '$4\r\na\r\nb\r\n', '$4\r\na\r\nb\r\n'], `cut at ${at}`);
    client.close();
  }
});

test('COMMAND INFO has the shape that clients read', async () => {
  const { ours, theirs } = await servers();
  const [a, b] = [await Client.open(ours), await Client.open(theirs)];
  const names = ['get', 'set', 'mget', 'del', 'expire', 'mset', 'bitop', 'ping', 'multi', 'watch', 'subscribe', 'scan'];
  const [mine, theirs_told] = [await a.call('COMMAND', 'INFO', ...names), await b.call('COMMAND', 'INFO', ...names)];
  for (let i = 0; i < names.length; i++) {
    equal(mine[i].length, theirs_told[i].length, `elements of ${names[i]}`);
    equal([mine[i][0], mine[i][1], ...mine[i].slice(3, 6)], [theirs_told[i][0], theirs_told[i][1], ...theirs_told[i].slice(3, 6)], names[i]);
    for (const flag of ['write', 'readonly', 'denyoom', 'fast'])
      equal(mine[i][2].includes(flag), theirs_told[i][2].includes(flag), `${flag} of ${names[i]}`);
  }
  a.close();
  b.close();
});

test('a password is asked for as Redis asks', async () => {
  const { ours, theirs } = await servers();
  const open = [await Client.open(ours), await Client.open(theirs)];
  for (const client of open) await client.call('CONFIG', 'SET', 'requirepass', 'secret');
  try {
    for (const line of ['PING', 'GET a', 'NOSUCH', 'AUTH wrong', 'HELLO 3', 'HELLO 2 AUTH default wrong', 'MULTI', 'AUTH other secret', 'HELLO 3 AUTH default secret SETNAME me', 'CLIENT GETNAME', 'GET none', 'RESET', 'GET none', 'AUTH secret', 'GET none', 'AUTH default secret']) {
      pair.checked ??= [await Client.open(ours), await Client.open(theirs)];
      const [a, b] = await Promise.all(pair.checked.map((client) => client.bytes_of(...words(line))));
      if (/^HELLO 3 AUTH/.test(line)) equal(parse(a).slice(4, 6), parse(b).slice(4, 6), line);
      else equal(a.toString(), b.toString(), line);
    }
  } finally {
    for (const client of open) await client.call('CONFIG', 'SET', 'requirepass', '');
  }
});

test('both servers are still there, and cairn stops cleanly', async () => {
  const { cluster } = await servers();
  cluster.check_alive();
  await cluster.stop_all();
});

run_tests();
