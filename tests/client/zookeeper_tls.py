"""kazoo over TLS, as somebody whose certificate says so. Run by zookeeper_tls.mjs, which obeys "@" lines."""
import os
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import ACL, Id, OPEN_ACL_UNSAFE, Permissions

FOLDER = os.environ["FOLDER"]
ANN = "CN=ann,O=good\\, people,DC=org"


def client(name, hosts=os.environ["TLS_HOSTS"]):
    made = KazooClient(hosts, use_ssl=True, ca=f"{FOLDER}/ca.pem", verify_certs=True,
                       certfile=f"{FOLDER}/{name}.pem", keyfile=f"{FOLDER}/{name}.key")
    made.start(15)
    return made


def refused(run):
    try:
        run()
    except NoAuthError:
        return True
    return False


ann, bob = client("ann"), client("bob")
plain = KazooClient(os.environ["PLAIN_HOSTS"])
plain.start(15)

ann.create("/big", b"x" * 900000)
assert bob.get("/big")[0] == b"x" * 900000
print("ok large answers and requests pass", flush=True)

ann.create("/hers", b"", acl=[ACL(Permissions.ALL, Id("auth", ""))])
assert [acl.id for acl in ann.get_acls("/hers")[0]] == [Id("x509", ANN)]
ann.get("/hers")
bob.sync("/hers")
plain.sync("/hers")
assert refused(lambda: bob.get("/hers")) and refused(lambda: plain.get("/hers"))
print("ok what is locked by a certificate opens to it alone", flush=True)

plain.create("/both", b"", acl=[ACL(Permissions.READ, Id("x509", "CN=bob")), *OPEN_ACL_UNSAFE[1:]])
bob.sync("/both")
bob.get("/both")
ann.sync("/both")
assert refused(lambda: ann.get("/both"))
print("ok rights are given to a subject by name", flush=True)

seen = []
ann.DataWatch("/watched", lambda data, stat: seen.append(data))
for i in range(2000):
    bob.create_async(f"/many{i}", b"%d" % i)
bob.create("/watched", b"now")
session = ann.client_id[0]
server = int(ann._connection._socket.getpeername()[1])
print("@ kill", server, flush=True)
assert sys.stdin.readline().strip() == "done"
ann.retry(ann.create, "/after", b"", ephemeral=True)
assert ann.client_id[0] == session and b"now" in seen
assert ann.get("/after")[1].ephemeralOwner == session
assert len([name for name in ann.get_children("/") if name.startswith("many")]) == 2000
print("ok a session goes on at another server when its own is killed", flush=True)
for each in ann, bob, plain:
    each.stop()
