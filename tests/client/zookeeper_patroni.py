"""Patroni's own ZooKeeper class, which is how Patroni keeps a PostgreSQL cluster's state: two members, one
leader, through kills of servers. No PostgreSQL is needed for this part of it.

Run by zookeeper_patroni.mjs, which makes the cluster and obeys the lines that begin with "@".
"""
import logging
import os
import sys
import threading
import time
import traceback

from patroni.dcs import get_dcs

logging.disable(logging.CRITICAL)
SERVERS = os.environ["HOSTS"].split(",")
LOOP_S, TTL_S, RETRY_S = 3, 10, 5


def steer(*words):
    print("@", *words, flush=True)
    answer = sys.stdin.readline().strip()
    assert answer and not answer.startswith("error"), answer
    return answer


def until(what, ask, patience=20.0):
    end = time.monotonic() + patience
    last = None
    while time.monotonic() < end:
        try:
            last = ask()
            if last:
                return last
        except Exception as error:
            last = error
        time.sleep(0.05)
    raise AssertionError("%s: not in %s s (last: %r)" % (what, patience, last))


def equal(actual, expected):
    assert actual == expected, "%r instead of %r" % (actual, expected)


def member(name):
    """As patroni makes it from its file."""
    return get_dcs({"scope": "trial", "name": name, "ttl": TTL_S, "loop_wait": LOOP_S, "retry_timeout": RETRY_S,
                    "zookeeper": {"hosts": SERVERS}})


def data_of(name, state="running"):
    return {"conn_url": "postgres://127.0.0.1/" + name, "state": state, "role": "replica", "version": "3.0.2"}


def view(dcs):
    dcs._bypass_caches()
    return dcs.get_cluster()


one, two = member("one"), member("two")


def a_cluster_is_initialised_by_one_member_only():
    assert one.initialize(create_new=True, sysid="")
    assert not two.initialize(create_new=True, sysid="")
    assert one.initialize(create_new=False, sysid="7000000000000000001")
    until("seen", lambda: view(two).initialize == "7000000000000000001")
    assert one.set_config_value('{"ttl":%d,"loop_wait":%d}' % (TTL_S, LOOP_S))
    until("config", lambda: view(two).config.data["loop_wait"] == LOOP_S)


def members_are_touched_and_one_takes_the_lead():
    assert one.touch_member(data_of("one")) and two.touch_member(data_of("two"))
    until("both", lambda: {m.name for m in view(one).members} == {"one", "two"} == {m.name for m in view(two).members})
    assert one.attempt_to_acquire_leader()
    assert not two.attempt_to_acquire_leader()
    until("leader", lambda: view(two).leader.name == "one")
    view(one)
    assert one.update_leader(1000, {"slot": 1})
    until("its place in the log", lambda: view(two).last_lsn == 1000)
    cluster = view(two)
    assert two.touch_member(data_of("two", "streaming"))
    assert two.set_sync_state_value('{"leader":"one","sync_standby":"two"}', cluster.sync.index)
    until("sync state", lambda: view(one).sync.leader == "one")
    assert one.set_history_value('[[1,1000,"no recovery target specified"]]')
    until("history", lambda: len(view(two).history.lines) == 1)


def a_waiting_member_is_woken_by_a_watch():
    view(two)
    woken = []
    began = time.monotonic()

    def wait():
        two.watch(None, 10)
        woken.append(time.monotonic() - began)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    time.sleep(0.3)
    view(one)
    assert one.update_leader(1500)
    thread.join(12)
    assert woken and woken[0] < 5, woken
    assert one.manual_failover("one", "two")
    failover = until("failover key", lambda: view(two).failover)
    equal((failover.leader, failover.candidate), ("one", "two"))
    assert one.manual_failover("", "", index=failover.index)
    until("cleared", lambda: not view(two).failover)


def the_leader_stays_the_leader_while_each_server_is_killed():
    session = one._client.client_id
    for turn, node in enumerate((1, 2, 3)):
        steer("kill", node)
        lsn = 2000 + turn

        def keep():
            view(one)
            return one.update_leader(lsn) and view(one).last_lsn == lsn and one.touch_member(data_of("one"))

        until("the leader's turn", keep)
        until("the other sees it", lambda: view(two).last_lsn == lsn and view(two).leader.name == "one")
        assert not two.attempt_to_acquire_leader()
        steer("start", node)
    equal(one._client.client_id, session)
    equal(view(one).leader.session, session[0])


def when_the_leader_steps_down_or_dies_the_other_takes_over():
    view(one)
    assert one.delete_leader(3000)
    until("free", lambda: view(two).is_unlocked())
    assert two.attempt_to_acquire_leader()
    until("two leads", lambda: view(one).leader.name == "two")
    two._client.stop()
    until("gone with its session", lambda: view(one).is_unlocked() and [m.name for m in view(one).members] != ["two"])
    assert one.touch_member(data_of("one"))
    assert one.attempt_to_acquire_leader()
    one.delete_cluster()
    until("nothing left", lambda: view(one).initialize is None and not view(one).members)


failed = 0
for run in (a_cluster_is_initialised_by_one_member_only, members_are_touched_and_one_takes_the_lead,
            a_waiting_member_is_woken_by_a_watch, the_leader_stays_the_leader_while_each_server_is_killed,
            when_the_leader_steps_down_or_dies_the_other_takes_over):
    began = time.monotonic()
    try:
        run()
        print("ok patroni: %s (%d ms)" % (run.__name__.replace("_", " "), 1000 * (time.monotonic() - began)), flush=True)
    except Exception:
        failed += 1
        print("not ok patroni: %s" % run.__name__.replace("_", " "), flush=True)
        print("    " + traceback.format_exc().replace("\n", "\n    "), flush=True)
os._exit(1 if failed else 0)
