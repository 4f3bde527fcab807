"""kazoo against a cluster of three: its operations, its recipes, and its sessions through kills.

Run by zookeeper_kazoo.mjs, which makes the cluster and obeys the lines that begin with "@".
"""
import datetime
import logging
import os
import sys
import threading
import time
import traceback
import uuid

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (BadVersionError, ConnectionClosedError, ConnectionLoss,
                              InvalidACLError, LockTimeout, NoAuthError, NoChildrenForEphemeralsError,
                              NodeExistsError, NoNodeError, NotEmptyError, NotReadOnlyCallError, RolledBackError,
                              RuntimeInconsistency, SessionExpiredError)
from kazoo.protocol.states import EventType, KeeperState
from kazoo.recipe.cache import TreeEvent
from kazoo.recipe.lease import MultiNonBlockingLease, NonBlockingLease
from kazoo.recipe.partitioner import PartitionState
from kazoo.recipe.watchers import PatientChildrenWatch
from kazoo.security import make_acl, make_digest_acl, make_digest_acl_credential, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE

logging.disable(logging.CRITICAL)
HOSTS = os.environ["HOSTS"]
SERVERS = HOSTS.split(",")
STORIES = []
steering = threading.Lock()


def story(run):
    STORIES.append(run)
    return run


def steer(*words):
    with steering:
        print("@", *words, flush=True)
        answer = sys.stdin.readline().strip()
    assert answer and not answer.startswith("error"), answer
    return answer


class Clients:
    """The clients of one story, all below a root of its own; closed at its end."""

    def __init__(self):
        self.root = "/" + uuid.uuid4().hex[:12]
        self.all = []
        first = self.make(chroot=False)
        first.create(self.root)

    def make(self, hosts=HOSTS, chroot=True, timeout=10.0, start=True, **options):
        client = KazooClient(hosts + (self.root if chroot else ""), timeout=timeout, **options)
        self.all.append(client)
        if start:
            client.start(15)
        return client

    def at(self, node, **options):
        return self.make(hosts=SERVERS[node - 1], **options)

    def close(self):
        for client in self.all:
            try:
                client.stop()
                client.close()
            except Exception:
                pass


def raises(kind, call, *arguments, **options):
    try:
        got = call(*arguments, **options)
    except kind as error:
        return error
    raise AssertionError("%r instead of %s" % (got, kind))


def until(what, ask, patience=15.0):
    end = time.monotonic() + patience
    last = None
    while time.monotonic() < end:
        try:
            last = ask()
            if last:
                return last
        except Exception as error:
            last = error
        time.sleep(0.02)
    raise AssertionError("%s: not in %s s (last: %r)" % (what, patience, last))


def equal(actual, expected):
    assert actual == expected, "%r instead of %r" % (actual, expected)


def in_thread(run, *arguments):
    thread = threading.Thread(target=run, args=arguments, daemon=True)
    thread.start()
    return thread


# ---- operations ----

@story
def nodes_are_made_changed_listed_and_deleted_with_exact_stats(clients):
    zk = clients.make()
    equal(zk.create("/a", b"one"), "/a")
    path, stat = zk.create("/b/c/d", b"deep", makepath=True, include_data=True)
    equal((path, stat.version, stat.dataLength), ("/b/c/d", 0, 4))
    raises(NodeExistsError, zk.create, "/a")
    raises(NoNodeError, zk.create, "/x/y")
    raises(NotEmptyError, zk.delete, "/b")
    raises(BadVersionError, zk.set, "/a", b"two", version=7)
    stat = zk.set("/a", b"two", version=0)
    equal((stat.version, stat.czxid < stat.mzxid, stat.ephemeralOwner), (1, True, 0))
    data, again = zk.get("/a")
    equal((data, again), (b"two", stat))
    equal(zk.exists("/a"), stat)
    equal(zk.exists("/none"), None)
    names, parent = zk.get_children("/", include_data=True)
    equal((sorted(names), parent.numChildren, parent.cversion), (["a", "b"], 2, 2))
    raises(BadVersionError, zk.delete, "/a", version=0)
    zk.delete("/a", version=1)
    zk.delete("/b", recursive=True)
    equal((zk.get_children("/"), zk.exists("/").cversion), ([], 4))
    equal(zk.sync("/"), "/")
    zk.ensure_path("/p/q")
    equal(zk.get("/p/q")[0], b"")
    equal(zk.create("/null", b"").startswith("/null"), True)


@story
def sequences_count_creations_and_ephemerals_end_with_their_session(clients):
    zk, other = clients.make(), clients.make()
    equal([zk.create("/s/n-", makepath=True, sequence=True) for _ in range(3)], ["/s/n-%010d" % n for n in range(3)])
    zk.delete("/s/n-0000000001")
    equal(zk.create("/s/n-", sequence=True), "/s/n-0000000003")
    path = zk.create("/s/e-", ephemeral=True, sequence=True)
    equal(zk.exists(path).ephemeralOwner, zk.client_id[0])
    raises(NoChildrenForEphemeralsError, zk.create, path + "/child")
    other.sync("/")
    assert other.exists(path)
    zk.stop()
    other.sync("/")
    equal(other.exists(path), None)


@story
def values_may_be_large_and_too_large_ones_end_the_connection_only(clients):
    zk = clients.make()
    big = bytes(range(256)) * 3900
    zk.create("/big", big)
    equal(zk.get("/big")[0], big)
    raises((ConnectionLoss, ConnectionClosedError), zk.create, "/bigger", b"x" * 1048576)
    until("back", lambda: zk.connected and zk.exists("/big"))
    equal(zk.exists("/bigger"), None)


@story
def thousands_of_requests_outstanding_are_answered_in_order(clients):
    zk = clients.make()
    zk.create("/q", b"-1")
    order, requests = [], []
    for n in range(1500):
        write, read = zk.set_async("/q", b"%d" % n), zk.get_async("/q")
        write.rawlink(lambda _, n=n: order.append(n))
        requests.append((write, read))
    for n, (write, read) in enumerate(requests):
        equal(write.get(20).version, n + 1)
        equal(read.get(20)[0], b"%d" % n)
    equal(order, sorted(order))


@story
def transactions_are_all_or_nothing(clients):
    zk = clients.make()
    zk.create("/t", b"0")
    txn = zk.transaction()
    txn.check("/t", version=0)
    txn.create("/t/a", b"a")
    txn.create("/t/s-", b"s", sequence=True, ephemeral=True)
    txn.set_data("/t", b"1")
    txn.delete("/t/a", version=0)
    done = txn.commit()
    equal((done[0], done[1], done[2], done[3].version, done[4]), (True, "/t/a", "/t/s-0000000001", 1, True))
    seen = []
    zk.get("/t", watch=seen.append)
    with zk.transaction() as txn:
        txn.set_data("/t", b"2")
        txn.create("/t/b")
        txn.delete("/none")
        txn.create("/t/c")
    failed = zk.transaction()
    failed.set_data("/t", b"2")
    failed.delete("/none")
    failed.create("/t/c")
    kinds = [type(each) for each in failed.commit()]
    equal(kinds, [RolledBackError, NoNodeError, RuntimeInconsistency])
    equal((zk.get("/t")[0], sorted(zk.get_children("/t")), seen), (b"1", ["s-0000000001"], []))
    hundreds = zk.transaction()
    for n in range(400):
        hundreds.create("/t/n%d" % n, b"v")
    equal(len(hundreds.commit()), 400)


@story
def one_time_watches_fire_once_and_before_the_new_state_is_read(clients):
    zk, other = clients.at(1), clients.at(2)
    seen = []
    zk.create("/w", b"0")
    assert zk.exists("/later", watch=seen.append) is None
    zk.get("/w", watch=seen.append)
    zk.get_children("/w", watch=seen.append)
    other.sync("/")
    other.set("/w", b"1")
    other.set("/w", b"2")
    other.create("/w/c")
    other.create("/later")
    zk.sync("/")
    equal(zk.get("/w")[0], b"2")
    until("three events", lambda: len(seen) == 3)
    equal([(each.type, each.path) for each in seen],
          [(EventType.CHANGED, "/w"), (EventType.CHILD, "/w"), (EventType.CREATED, "/later")])
    zk.get("/w/c", watch=seen.append)
    other.delete("/w/c")
    until("the deletion", lambda: len(seen) == 4)
    equal(seen[3].type, EventType.DELETED)


@story
def rights_bind_those_who_did_not_prove_themselves(clients):
    zk, friend = clients.make(), clients.make(auth_data=[("digest", "bob:secret")])
    acl = make_digest_acl("bob", "secret", read=True, write=True)
    zk.create("/r", b"x", acl=[acl])
    raises(NoAuthError, zk.get, "/r")
    raises(NoAuthError, zk.set, "/r", b"y")
    equal(friend.get("/r")[0], b"x")
    equal(friend.set("/r", b"y").version, 1)
    raises(NoAuthError, friend.create, "/r/c")
    raises(NoAuthError, friend.set_acls, "/r", OPEN_ACL_UNSAFE)
    zk.add_auth("digest", "ann:key")
    whole = make_acl("auth", "", all=True)
    zk.create("/mine", acl=[whole])
    acls, stat = zk.get_acls("/mine")
    equal(acls[0].id.id, make_digest_acl_credential("ann", "key"))
    stat = zk.set_acls("/mine", READ_ACL_UNSAFE, version=stat.aversion)
    equal((stat.aversion, friend.get("/mine")[0]), (1, b""))
    raises(InvalidACLError, friend.create, "/bad", acl=[make_acl("digest", "no-colon", all=True)])
    local = make_acl("ip", "127.0.0.1", all=True)
    zk.create("/local", acl=[local])
    equal(friend.get("/local")[0], b"")
    root = clients.make(auth_data=[("digest", "super:test")])
    equal(root.get("/r")[0], b"y")


@story
def sasl_digest_proves_a_user_and_refuses_a_wrong_password(clients):
    options = {"mechanism": "DIGEST-MD5", "username": "jaasuser", "password": "jaas_password"}
    zk, stranger = clients.make(sasl_options=options), clients.make()
    zk.create("/s", acl=[make_acl("sasl", "jaasuser", all=True)])
    stranger.sync("/")
    raises(NoAuthError, stranger.get, "/s")
    equal(zk.get("/s")[0], b"")
    legacy = clients.make(auth_data=[("sasl", "jaasuser:jaas_password")])
    equal(legacy.get("/s")[0], b"")
    wrong = clients.make(sasl_options=dict(options, password="no"), start=False)
    states = []
    wrong.add_listener(states.append)
    wrong.start_async()
    until("refused", lambda: KazooState.LOST in states and wrong.client_state == KeeperState.CLOSED)


@story
def servers_tell_their_version_and_answer_four_letters(clients):
    for node in (1, 2, 3):
        zk = clients.at(node)
        assert zk.server_version() >= (3, 8, 0), zk.server_version()
        equal(zk.command(b"ruok"), "imok")
        assert "Mode: " in zk.command(b"srvr")
        assert "zk_server_state\t" in zk.command(b"mntr")
        equal(zk.command(b"isro"), "rw")


# ---- watchers and recipes ----

@story
def data_watches_and_children_watches_see_the_last_state(clients):
    zk, other = clients.at(1), clients.at(3)
    values, children = [], []
    zk.DataWatch("/d", lambda data, stat: values.append(data) if len(values) < 100 else None)
    zk.create("/d", b"0")
    zk.ChildrenWatch("/d", lambda names: children.append(sorted(names)))
    for n in range(1, 20):
        other.set("/d", b"%d" % n)
        other.create("/d/%02d" % n)
    until("the last value", lambda: values[-1] == b"19")
    until("all children", lambda: len(children[-1]) == 19)
    equal(values[0], None)
    numbers = [int(each) for each in values[1:] if each is not None]
    equal(numbers, sorted(numbers))
    result = PatientChildrenWatch(zk, "/d", time_boundary=0.2).start()
    equal(len(result.get(5)[0]), 19)
    other.delete("/d", recursive=True)
    until("the end", lambda: values[-1] is None)


@story
def a_lock_excludes_across_servers_and_counts_its_contenders(clients):
    inside, most, done = [0], [0], []

    def work(zk, name):
        for _ in range(6):
            with zk.Lock("/lock", name):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.002)
                inside[0] -= 1
                done.append(name)

    threads = [in_thread(work, clients.at(node), "n%d" % node) for node in (1, 2, 3)]
    for thread in threads:
        thread.join(30)
    equal((most[0], len(done)), (1, 18))
    first, second = clients.at(1), clients.at(2)
    held, wanted = first.Lock("/lock", "first"), second.Lock("/lock", "second")
    assert held.acquire()
    equal(wanted.acquire(blocking=False), False)
    raises(LockTimeout, wanted.acquire, timeout=0.2)
    waiting = in_thread(wanted.acquire)
    until("both", lambda: held.contenders() == ["first", "second"])
    first.stop()
    waiting.join(10)
    assert wanted.is_acquired


@story
def read_locks_share_and_write_locks_do_not(clients):
    one, two, three = clients.at(1), clients.at(2), clients.at(3)
    reading, also, writing = one.ReadLock("/rw"), two.ReadLock("/rw"), three.WriteLock("/rw")
    assert reading.acquire(timeout=5) and also.acquire(timeout=5)
    equal(writing.acquire(blocking=False), False)
    waiting = in_thread(writing.acquire)
    reading.release()
    also.release()
    waiting.join(10)
    assert writing.is_acquired
    equal(reading.acquire(blocking=False), False)
    writing.release()


@story
def a_semaphore_gives_no_more_leases_than_it_has(clients):
    now, most = [0], [0]
    guard = threading.Lock()

    def work(zk, name):
        for _ in range(3):
            with zk.Semaphore("/sem", name, max_leases=2):
                with guard:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                time.sleep(0.02)
                with guard:
                    now[0] -= 1

    threads = [in_thread(work, clients.make(), "s%d" % n) for n in range(5)]
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    equal((now[0], most[0]), (0, 2))


@story
def an_election_has_one_leader_and_the_next_when_it_goes(clients):
    led, stay = [], {}

    def lead(name):
        led.append(name)
        stay[name].wait(20)

    threads = []
    for node in (1, 2, 3):
        name = "c%d" % node
        stay[name] = threading.Event()
        zk = clients.at(node)
        threads.append(in_thread(zk.Election("/elect", name).run, lead, name))
        until("in the race", lambda: len(zk.Election("/elect").contenders()) == node)
    for turn in range(1, 4):
        until("leader %d" % turn, lambda: len(led) == turn)
        stay[led[-1]].set()
    equal(led, ["c1", "c2", "c3"])
    for thread in threads:
        thread.join(10)


@story
def queues_give_each_item_to_one_taker_by_priority(clients):
    one, two = clients.at(1), clients.at(2)
    queue, also = one.Queue("/queue"), two.Queue("/queue")
    for n in range(10):
        queue.put(b"%d" % n, priority=50 if n == 9 else 100)
    two.sync("/")
    equal(len(also), 10)
    got = [each.get() for _ in range(5) for each in (queue, also)]
    equal(got[0], b"9")
    equal(sorted(got), [b"%d" % n for n in range(10)])
    equal(queue.get(), None)
    locking, taker = one.LockingQueue("/locking"), two.LockingQueue("/locking")
    locking.put_all([b"a", b"b", b"c"])
    equal(taker.get(5), b"a")
    equal(locking.get(5), b"b")
    assert taker.holds_lock() and taker.consume() and locking.release()
    equal(sorted([locking.get(5), taker.get(5)]), [b"b", b"c"])
    assert locking.consume() and taker.consume()
    equal(len(locking), 0)
    equal(locking.get(0.2), None)


@story
def barriers_hold_until_they_are_lifted_or_all_are_there(clients):
    one, two = clients.at(1), clients.at(2)
    barrier = one.Barrier("/barrier")
    barrier.create()
    two.sync("/")
    equal(two.Barrier("/barrier").wait(0.2), False)
    passed = []
    thread = in_thread(lambda: passed.append(two.Barrier("/barrier").wait(10)))
    time.sleep(0.1)
    assert barrier.remove()
    thread.join(10)
    equal(passed, [True])
    entered, left = [], []

    def meet(zk, name):
        double = zk.DoubleBarrier("/double", 3, name)
        double.enter()
        entered.append(name)
        double.leave()
        left.append(name)

    threads = [in_thread(meet, clients.at(n), "d%d" % n) for n in (1, 2)]
    time.sleep(0.3)
    equal(entered, [])
    meet(clients.at(3), "d3")
    for thread in threads:
        thread.join(10)
    equal((len(entered), len(left)), (3, 3))


@story
def parties_and_counters_agree_on_all_servers(clients):
    members = [clients.at(n) for n in (1, 2, 3)]
    for recipe in ("Party", "ShallowParty"):
        parties = [getattr(zk, recipe)("/" + recipe, "m%d" % n) for n, zk in enumerate(members)]
        for party in parties:
            party.join()
        until("three", lambda: all(sorted(party) == ["m0", "m1", "m2"] for party in parties))
        parties[0].leave()
        until("two", lambda: all(len(party) == 2 for party in parties))

    def add(zk):
        counter = zk.Counter("/counter")
        for _ in range(15):
            counter += 1

    threads = [in_thread(add, zk) for zk in members]
    for thread in threads:
        thread.join(30)
    members[0].sync("/")
    equal(members[0].Counter("/counter").value, 45)
    real = members[0].Counter("/float", default=1.5)
    real -= 0.5
    equal(real.value, 1.0)


@story
def leases_are_held_by_one_until_they_run_out(clients):
    one, two = clients.at(1), clients.at(2)
    now = [datetime.datetime(2030, 1, 1)]
    hour = datetime.timedelta(hours=1)
    assert NonBlockingLease(one, "/lease", hour, identifier="a", utcnow=lambda: now[0])
    assert not NonBlockingLease(two, "/lease", hour, identifier="b", utcnow=lambda: now[0])
    assert NonBlockingLease(one, "/lease", hour, identifier="a", utcnow=lambda: now[0])
    now[0] += 2 * hour
    assert NonBlockingLease(two, "/lease", hour, identifier="b", utcnow=lambda: now[0])
    took = [bool(MultiNonBlockingLease(zk, 2, "/leases", hour, identifier=str(n), utcnow=lambda: now[0]))
            for n, zk in enumerate((one, two, one))]
    equal(took, [True, True, False])


@story
def a_tree_cache_follows_a_whole_tree(clients):
    zk, other = clients.at(1), clients.at(2)
    other.create("/cache/a/b", b"1", makepath=True)
    from kazoo.recipe.cache import TreeCache
    events = []
    cache = TreeCache(zk, "/cache")
    cache.listen(lambda event: events.append(event.event_type))
    cache.start()
    until("loaded", lambda: TreeEvent.INITIALIZED in events)
    equal(cache.get_data("/cache/a/b").data, b"1")
    other.set("/cache/a/b", b"2")
    other.create("/cache/a/c/d", b"3", makepath=True)
    until("followed", lambda: cache.get_data("/cache/a/b").data == b"2" and cache.get_data("/cache/a/c/d").data == b"3")
    other.delete("/cache/a", recursive=True)
    until("gone", lambda: cache.get_data("/cache/a") is None and cache.get_children("/cache") == frozenset())
    cache.close()


@story
def a_set_is_partitioned_among_those_present(clients):
    parts = [clients.at(n).SetPartitioner("/parts", set=range(9), identifier="p%d" % n, time_boundary=0.3)
             for n in (1, 2, 3)]

    def drive():
        for part in parts:
            if part.release:
                part.release_set()
        return all(part.state == PartitionState.ACQUIRED for part in parts) and \
            sorted(each for part in parts for each in part) == list(range(9))

    until("shared out", drive)
    equal([len(list(part)) for part in parts], [3, 3, 3])
    parts.pop().finish()
    until("shared out again", drive)


# ---- sessions ----

@story
def a_session_moves_to_whoever_has_its_password_and_can_be_ended_by_them(clients):
    zk = clients.at(1)
    states = []
    zk.add_listener(states.append)
    path, session = zk.create("/mine", ephemeral=True), zk.client_id

    def ended():
        second = clients.at(2, client_id=session)
        second.stop()
        return KazooState.LOST in states

    until("lost", ended)
    until("another session", lambda: zk.connected and zk.client_id[0] != session[0] and zk.exists(path) is None)


@story
def a_wrong_password_or_an_unknown_session_is_told_expired_and_gets_another(clients):
    zk = clients.make()
    for wrong in ((zk.client_id[0], b"\1" * 16), (0x7fffffff00000001, b"\2" * 16)):
        other = clients.make(client_id=wrong, start=False)
        states = []
        other.add_listener(lambda state: states.append(state))
        other.start(10)
        assert other.client_id[0] != wrong[0], "resumed"
    assert zk.exists("/") is not None


@story
def a_silent_client_expires_and_its_ephemerals_go(clients):
    zk, other = clients.make(timeout=1.5), clients.make()
    path = zk.create("/e", ephemeral=True)
    seen = threading.Event()
    other.sync("/")
    other.exists(path, watch=lambda event: seen.set())
    began = time.monotonic()
    zk._connection._socket.close()
    zk._stopped.set()
    zk._connection.stop(1)
    assert seen.wait(8), "still there"
    assert time.monotonic() - began > 1.0


@story
def chroots_and_lists_of_hosts_are_the_clients_own(clients):
    zk, whole = clients.make(), clients.make(chroot=False)
    zk.create("/in/side", makepath=True)
    whole.sync("/")
    assert whole.exists(clients.root + "/in/side")
    equal(zk.unchroot(clients.root + "/in"), "/in")
    one = clients.at(1)
    one.set_hosts(HOSTS + clients.root)
    steer("kill", 1)
    until("moved", lambda: one.retry(one.exists, "/in"))
    steer("start", 1)
    zk.retry(zk.exists, "/in")
    equal(sorted(zk.get_children("/")), ["in"])


@story
def reconfig_adds_an_observer_and_takes_it_out_again(clients):
    plain, root = clients.make(chroot=False), clients.make(chroot=False, auth_data=[("digest", "super:test")])
    before, stat = root.get("/zookeeper/config")
    equal(before.count(b"server."), 3)
    joining = "server.100=127.0.0.1:19998:19999:observer;127.0.0.1:19997"
    raises(NoAuthError, plain.reconfig, joining=joining, leaving=None, new_members=None)
    raises(BadVersionError, plain.reconfig, joining=joining, leaving=None, new_members=None, from_config=12345)
    seen = threading.Event()
    root.get("/zookeeper/config", watch=lambda event: seen.set())
    data, stat = root.reconfig(joining=joining, leaving=None, new_members=None)
    assert b"server.100=127.0.0.1:19998:19999:observer" in data, data
    assert seen.wait(5)
    data, later = root.reconfig(joining=None, leaving="100", new_members=None)
    assert b"server.100" not in data and later.mzxid > stat.mzxid
    for node in (1, 2, 3):
        zk = clients.at(node, chroot=False)
        until("told", lambda: zk.get("/zookeeper/config")[0] == data)


class Writer:
    """Creates nodes one after the other, remembers which were acknowledged, and never doubts its session."""

    def __init__(self, clients, number):
        self.states, self.acked, self.unknown, self.problems = [], [], 0, []
        self.name, self.stopped = "w%d" % number, False
        servers = SERVERS[number % 3:] + SERVERS[:number % 3]
        self.zk = clients.make(hosts=",".join(servers), randomize_hosts=False)
        self.session = self.zk.client_id
        self.zk.add_listener(lambda state: self.states.append(state))
        self.alive = self.zk.create("/alive-", ephemeral=True, sequence=True)
        self.thread = in_thread(self.run)

    def run(self):
        n = 0
        while not self.stopped:
            path = "/%s-%d" % (self.name, n)
            n += 1
            try:
                self.zk.create(path, path.encode())
                self.acked.append(path)
            except (ConnectionLoss, ConnectionClosedError):
                self.unknown += 1
                time.sleep(0.02)
            except (SessionExpiredError, Exception) as error:
                self.problems.append(repr(error))
                time.sleep(0.1)

    def stop(self):
        self.stopped = True
        self.thread.join(20)


@story
def every_server_is_killed_in_turn_no_session_and_no_acknowledged_write_is_lost(clients):
    writers = [Writer(clients, n) for n in range(6)]
    watcher = clients.make()
    watched, counted = [], []
    watcher.create("/watched", b"0")
    watcher.DataWatch("/watched", lambda data, stat: watched.append(int(data)))
    holder = clients.make()
    lock = holder.Lock("/held", "holder")
    assert lock.acquire(timeout=10)
    intruder = clients.make()

    def intrude():
        if intruder.Lock("/held", "intruder").acquire():
            counted.append("in")

    waiting = in_thread(intrude)
    for turn in range(2):
        for node in ((1, 2, 3) if turn == 0 else (int(steer("leader")),)):
            before = [len(writer.acked) for writer in writers]
            steer("kill", node)
            until("all write again", lambda: all(len(w.acked) > b + 3 for w, b in zip(writers, before)))
            steer("start", node)
            writers[0].zk.retry(writers[0].zk.set, "/watched", b"%d" % (10 * turn + node))
    for writer in writers:
        writer.stop()
    for writer in writers:
        equal((writer.problems, KazooState.LOST in writer.states, writer.zk.client_id), ([], False, writer.session))
    last = int(writers[0].zk.retry(writers[0].zk.get, "/watched")[0])
    until("the watch lives on", lambda: watched[-1] == last)
    equal(counted, [])
    assert lock.is_acquired
    for node in (1, 2, 3):
        zk = clients.at(node)
        zk.sync("/")
        names = set(zk.get_children("/"))
        lost = [path for writer in writers for path in writer.acked if path[1:] not in names]
        equal(lost, [])
        for writer in writers:
            equal(zk.exists(writer.alive).ephemeralOwner, writer.session[0])
            equal(zk.get(writer.acked[-1])[0], writer.acked[-1].encode())
    lock.release()
    waiting.join(10)
    equal(counted, ["in"])


@story
def without_a_quorum_read_only_clients_read_and_come_back(clients):
    zk = clients.make()
    zk.create("/ro", b"still here")
    leader = int(steer("leader"))
    left = next(node for node in (1, 2, 3) if node != leader)
    reader = clients.at(left, read_only=True)
    reader.sync("/")
    for node in (1, 2, 3):
        if node != left:
            steer("kill", node)
    until("read-only", lambda: reader.client_state == KeeperState.CONNECTED_RO, 20)
    equal(reader.get("/ro")[0], b"still here")
    raises(NotReadOnlyCallError, reader.set, "/ro", b"no")
    for node in (1, 2, 3):
        if node != left:
            steer("start", node)
    until("writable", lambda: reader.client_state == KeeperState.CONNECTED and reader.set("/ro", b"yes"), 20)
    equal(zk.retry(zk.get, "/ro")[0], b"yes")


def run_story(run):
    name = "kazoo: " + run.__name__.replace("_", " ")
    result = []

    def body():
        clients = None
        try:
            clients = Clients()
            run(clients)
            result.append(None)
        except BaseException:
            result.append(traceback.format_exc())
        finally:
            if clients:
                clients.close()

    began = time.monotonic()
    thread = in_thread(body)
    thread.join(60)
    if not result:
        frames = sys._current_frames().get(thread.ident)
        result.append("no end after 60 s\n" + "".join(traceback.format_stack(frames) if frames else []))
    print("%s %s (%d ms)" % ("not ok" if result[0] else "ok", name, 1000 * (time.monotonic() - began)), flush=True)
    if result[0]:
        print("    " + result[0].replace("\n", "\n    "), flush=True)
    return result[0] is None


wanted = os.environ.get("STORY", "")
good = [run_story(run) for run in STORIES if wanted in run.__name__]
os._exit(0 if all(good) else 1)
