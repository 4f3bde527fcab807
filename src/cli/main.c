/* cairn: the table of subcommands and its help. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct subcommand subcommands[] = {
    {"dev", cmd_dev, "run a local cluster in the foreground",
     "Usage: cairn dev [--dir DIR] [--nodes N] [--port-offset N] [--set SECTION.KEY=VALUE]...\n"
     "\n"
     "Starts N nodes (default: as many as DIR has, else 3) as processes of their own, with their\n"
     "data under DIR (default ./cairn-data), prints their log, and a last line when the cluster\n"
     "serves. Started again on the same DIR it goes on from there, at other ports too. Ctrl-C "
     "stops\n"
     "it cleanly. A node that ends is not restarted silently: how to start it again is printed; "
     "the\n"
     "settings of --set are in the file that this names.\n"
     "\n"
     "Ports of node i: Redis 7000+i, peers 7100+i, admin HTTP 7200+i, plus the offset.\n"
     "\n"
     "  cairn dev                          three nodes, ports 7001 7002 7003\n"
     "  cairn dev --nodes 5 --dir /tmp/c   five nodes elsewhere\n"
     "  cairn dev --set raft.lease_reads=no\n"},
    {"server", cmd_server, "run one node",
     "Usage: cairn server --config FILE [--bootstrap] [--set SECTION.KEY=VALUE]...\n"
     "       cairn server --example\n"
     "\n"
     "Runs one node until SIGINT or SIGTERM; then hands leadership over and stops.\n"
     "\n"
     "  --config FILE   settings (INI); --example prints a file with every key and its default\n"
     "  --bootstrap     the founders' first start: found the cluster with cluster.members\n"
     "  --set S.K=V     overrides a setting of the file\n"
     "\n"
     "  cairn server --example > node1.ini\n"
     "  cairn server --config node1.ini --bootstrap\n"},
    {"status", cmd_status, "leader, term, log positions, lag, health",
     "Usage: cairn status [--node HOST:PORT,...] [--dir DIR] [--json] [--watch]\n"
     "\n"
     "Asks nodes by their admin ports and finds the others from their answers: those of --node,\n"
     "else those of DIR (a folder of cairn dev, default ./cairn-data), else 127.0.0.1:7201 to "
     "7209.\n"
     "A member's role is told for each keyspace. Exit code 0: every keyspace has a leader and "
     "every\n"
     "member is healthy; 1: not.\n"
     "\n"
     "  cairn status\n"
     "  cairn status --node 10.0.0.1:7201,10.0.0.2:7202 --watch\n"},
    {"member", cmd_member, "add, move, remove, promote, list members",
     "Usage: cairn member list | status | add ID HOST:PORT [--learner] | move ID HOST:PORT |\n"
     "                    promote ID | remove ID | cancel\n"
     "                    [--node HOST:PORT,...] [--dir DIR] [--token-file FILE]\n"
     "\n"
     "HOST:PORT is the member's peer port. A new member first catches up as a learner, then "
     "votes;\n"
     "with --learner it stays one. Start it without --bootstrap, with the present members in\n"
     "cluster.members. Writes go on meanwhile. A change is for all keyspaces, and is done in all "
     "or\n"
     "changes nothing; one that lasts longer than the answer waits goes on: status tells how far "
     "it\n"
     "is, cancel gives it up.\n"
     "\n"
     "Any node may be asked, by its admin port; which one is found as by cairn status. Changes "
     "need\n"
     "that node's token: the file `token` in its data folder, which its owner can read. "
     "--token-file\n"
     "or CAIRN_TOKEN_FILE names it; in a folder of cairn dev it is found.\n"
     "\n"
     "  cairn member add 4 127.0.0.1:7104\n"
     "  cairn member remove 2 --node 10.0.0.1:7201 --token-file /var/lib/cairn/token\n"},
    {"leader", cmd_leader, "hand leadership over",
     "Usage: cairn leader transfer [ID] [--node HOST:PORT,...] [--dir DIR] [--token-file FILE]\n"
     "\n"
     "To member ID, or to the one that is most up to date. Needs a token, as cairn member does.\n"},
    {"shell", cmd_shell, "a Redis shell with completion",
     "Usage: cairn shell [--node HOST:PORT] [--password-file FILE] [COMMAND ARG...]\n"
     "\n"
     "With a command: executes it and prints the reply. Without: reads commands; TAB completes,\n"
     "HELP COMMAND explains. HOST:PORT is a Redis port (127.0.0.1:7001); the password is the "
     "first\n"
     "line of FILE, or CAIRN_PASSWORD.\n"
     "\n"
     "  cairn shell set greeting hello\n"},
    {"zk", cmd_zk, "a ZooKeeper shell: nodes, watches, history",
     "Usage: cairn zk [--server HOST:PORT[,...]] [--json] [--timeout-ms N] [--auth "
     "SCHEME:CREDENTIAL]\n"
     "                [COMMAND ...]\n"
     "\n"
     "With a command: carries it out at any server of ZooKeeper's protocol (127.0.0.1:2181).\n"
     "Without: reads commands; TAB completes them and paths, help lists them.\n"
     "\n"
     "  ls [-R] [-s] PATH     children; -R: all below, as paths; -s: with stat\n"
     "  get [-s] PATH         data, byte for byte\n"
     "  set [-v VERSION] PATH [DATA]      without DATA from standard input\n"
     "  create [-s] [-e] [-c] [-t TTL_MS] PATH [DATA]\n"
     "                        sequential, ephemeral (kept until interrupted), container, with a "
     "time to live\n"
     "  rm [-v VERSION] PATH | rmr PATH   rmr: with everything below\n"
     "  watch [-r] PATH       changes as they happen, until interrupted; -r: below too\n"
     "  stat PATH | count PATH | sync PATH | config | whoami | ephemerals [PREFIX]\n"
     "  getacl PATH | setacl [-v VERSION] PATH SCHEME:ID:rwcda[,...] | auth SCHEME CREDENTIAL\n"
     "  history PATH --dir DIR    changes of a path, from the log of a cairn node's data folder,\n"
     "                        which is only read; the node may run or not\n"
     "\n"
     "Exit code 0: done; 1: refused (no such node ...) or no server there; 2: a write whose fate "
     "is\n"
     "unknown; 3: misuse. After -- nothing is a flag: cairn zk set -- /a --json\n"
     "\n"
     "  cairn zk create /greeting hello\n"
     "  cairn zk --server 127.0.0.1:2182,127.0.0.1:2183 watch -r /\n"
     "  cairn zk --json get -s /greeting\n"
     "  cairn zk history /greeting --dir cairn-data/node-1\n"},
    {"bench", cmd_bench, "load generator with percentiles",
     "Usage: cairn bench [--node HOST:PORT] [--command set|get|incr|mset|ping] [--clients N] "
     "[--pipeline N]\n"
     "                   [--requests N | --seconds S] [--bytes N] [--keys N] [--json] [--wait N]\n"
     "                   [--password-file FILE]\n"
     "       cairn bench --zookeeper HOST:PORT[,...] [--command set|get|mix|create] [--clients N]\n"
     "                   [--pipeline N] [--warm-up S] [--own] [--timeout-ms N] ...\n"
     "       cairn bench --floor DIR [--bytes N] [--seconds S]\n"
     "\n"
     "The password is the first line of FILE, or CAIRN_PASSWORD.\n"
     "--zookeeper loads any servers of that protocol: N sessions, spread over them, with "
     "--pipeline\n"
     "requests under way on each; mix is 70 % get. A session that loses its server goes on at the\n"
     "next. --own: each writes a node of its own and at the end reads that nothing is lost.\n"
     "--floor measures what the machine allows: the same hops and disk writes as a replicated SET "
     "on\n"
     "three nodes, without any protocol.\n"
     "\n"
     "  cairn bench --command set --clients 50 --pipeline 16 --seconds 5\n"
     "  cairn bench --zookeeper 127.0.0.1:2181,127.0.0.1:2182 --clients 10 --pipeline 10 --bytes "
     "1024\n"},
    {"inspect", cmd_inspect, "print and verify a data folder",
     "Usage: cairn inspect DIR [--verbose]\n"
     "\n"
     "Prints what a stopped node's data folder holds and verifies every checksum; changes "
     "nothing.\n"
     "Exit code 0: all is well; 1: something is damaged.\n"},
    {"import", cmd_import, "take over the data of a ZooKeeper server",
     "Usage: cairn import zookeeper SNAPSHOT-DIR [--log-dir DIR] [--dir DATA] [--nodes N]\n"
     "                              [--port-offset N] [--protocol NAME]\n"
     "\n"
     "Reads the data folder of a stopped ZooKeeper server (the newest whole snapshot and the logs\n"
     "behind it) and makes a new folder DATA (cairn-data) from it, which cairn dev serves with N "
     "(3)\n"
     "nodes: nodes with their rights, versions and zxids, and sessions with their ephemerals, "
     "which "
     "go\n"
     "on when their clients come back within their timeout. ZooKeeper's data is not touched.\n"
     "--protocol is what replicates the tree: raft or zab.\n"
     "\n"
     "  cairn import zookeeper /var/lib/zookeeper --dir data\n"
     "  cairn dev --dir data\n"},
    {"repair", cmd_repair, "go on after a majority was lost for good",
     "Usage: cairn repair DIR --yes\n"
     "\n"
     "Only when a majority of the members is lost for ever. DIR is the folder of a stopped "
     "survivor:\n"
     "it becomes the only member, and the cluster's epoch rises, so that the lost ones can never\n"
     "come back. Take the survivor with the highest last index (cairn inspect). What only the "
     "lost\n"
     "majority had acknowledged is lost with it. Others join again with empty folders.\n"},
    {"sim", cmd_sim, "run the simulator over seeds",
     "Usage: cairn sim [--seeds A-B] [--minutes M] [--mutant NAME] [--scenario NAME] [--nodes N]\n"
     "                 [--protocol raft|zab] [--machine kv|tree] [--plan FILE] [--once] "
     "[--describe] [--log] [--history FILE] [--json]\n"
     "                 [--faults NAME,NAME...] [--clients N] [--length MS]\n"
     "                 [--rare] [--points drawn|none|always] [--aim none|NAME,NAME...]\n"
     "                 [--focus drawn|none|always]\n"
     "       cairn sim --cores [--seeds A-B] [--minutes M | --seconds S] [--protocol raft|zab]\n"
     "                 [--mutant NAME] [--scheduler walk|pct|delay] [--nodes N] [--save FILE]\n"
     "                 [--play FILE] [--guided] [--rare] [--log] [--json]\n"
     "       cairn sim --cores --exhaustive --protocol raft|zab [--nodes N] [--elections N]\n"
     "                 [--entries N] [--reads N] [--crashes N] [--lost N] [--ticks N]\n"
     "                 [--overtaking N] [--late N] [--minutes M | --seconds S] [--memory MB]\n"
     "                 [--mutant NAME] [--save FILE]\n"
     "       cairn sim --shrink --seeds N [--minutes M] [...]\n"
     "       cairn sim --power [--seeds A] [--starts N] [--minutes M | --seconds S]\n"
     "                 [--mutant NAME] [--focus drawn|none|always] [--json]\n"
     "\n"
     "Whole nodes on a virtual world with faults; each seed is checked, and runs twice (--once: "
     "not),\n"
     "for the same seed must do the same. --minutes limits the processor time. Exit code 0: all "
     "held,\n"
     "1: a failure was found; it is told with the seed and how to repeat it.\n"
     "--rare prints how often each branch was taken that half of the runs make common, though it "
     "is "
     "rare;\n"
     "--points: in none of the runs, or in all. --aim: which faults with aim all runs have.\n"
     "--focus: none of the runs is short and hard, or all are, instead of half from seed 1000000 "
     "on.\n"
     "With --cores: protocol cores alone, two million steps a second; a failure is made short, "
     "and\n"
     "--save writes it as a scenario that --play plays. --exhaustive tries all schedules of a "
     "small\n"
     "configuration; exit code 2: they were more than the time or the memory (in MB) allowed.\n"
     "--shrink: a failing seed is made small (fewer faults, nodes, clients, less time), and the\n"
     "rule that it breaks is told.\n"
     "--power: how soon each seeded bug is found, in whole nodes or in cores, from N starts (3), "
     "with\n"
     "at most M minutes (10) of processor time for each.\n"
     "\n"
     "  cairn sim --seeds 1-1000 --minutes 10\n"
     "  cairn sim --seeds 42 --log\n"
     "  cairn sim --seeds 1-100 --plan plans/partition-and-kill.ini   the faults of cairn torture\n"
     "  cairn sim --seeds 1-1000 --mutant vote-twice\n"
     "  cairn sim --cores --protocol raft --minutes 10\n"},
    {"check", cmd_check, "does a history satisfy a consistency level?",
     "Usage: cairn check FILE [--model M] [--level L] [--proof FILE] [--json]\n"
     "                   [--limit-time T] [--limit-mem SIZE] [reading options]\n"
     "\n"
     "Exit code 0: the level holds; 1: it is violated; 2: undecided, within the limits; 3: the\n"
     "history or the question is wrong. FILE: - for standard input.\n"
     "\n"
     "  --model M        register, cas-register, kv, multi-register, append, counter, set, queue,\n"
     "                   unordered-queue, stack, priority-queue, mutex, owned-mutex,\n"
     "                   reentrant-mutex, fenced-mutex, semaphore, bank, bank-nonnegative,\n"
     "                   unique-ids, txn-rw, long-fork, txn-append;\n"
     "                   default: the one that has all of the history's operations\n"
     "  --level L        default linearizable, of transactions strict-serializable (without real\n"
     "                   time: session-serializable); cairn place tells all of them. "
     "serializable,\n"
     "                   snapshot-isolation ... have no session order, session-... have it\n"
     "  --proof FILE     the order, or the contradiction, for cairn verify (JSON)\n"
     "  --whole          one order for all keys, not one a key (linearizable is local: both exist\n"
     "                   or neither)\n"
     "  --repeat N       judge it N times, to measure it: --json tells the least time, check_s\n"
     "  --forced L1,L2   instead of a verdict: which of the operations called in these lines "
     "comes\n"
     "                   first, in every linearization with both or in some\n"
     "  --limit-time T   500ms, 10s, 2m ...; default 10m      --limit-mem SIZE   200M, 4G ...\n"
     "  --initial V      what a key holds at first (JSON), or x=0,y=0\n"
     "  --format F       auto, jsonl, edn, log, awdit, plume\n"
     "  --order time     events are ordered by their times, not by their lines\n"
     "  --keyed          values are [key value], as jepsen.independent writes them\n"
     "  --numbers        texts of digits are numbers: GET answers \"1\" for what was SET to 1\n"
     "  --nil absent     EDN: an answer of nil is that nothing was there, not that any answer "
     "fits\n"
     "  --strict         EDN: --nil absent, and a value that no operation wrote violates\n"
     "  --lenient        go on in spite of what lint calls errors\n"
     "  --allow-empty    a history in which no operation was answered holds, and is not refused\n"
     "\n"
     "  cairn check history.jsonl\n"
     "  cairn check store.edn --model txn-append --level snapshot-isolation\n"},
    {"place", cmd_place, "every consistency level: yes, no or undecided",
     "Usage: cairn place FILE [--model M] [--json] [--limit-time T] [--limit-mem SIZE]\n"
     "                   [reading options as in cairn check]\n"
     "\n"
     "Judges every level that the model has, and says which are the strongest that hold. Exit\n"
     "code 0: all are decided; 2: some are not; 3: the history is wrong.\n"
     "\n"
     "  cairn place history.jsonl\n"},
    {"explain", cmd_explain, "a verdict as a page for the browser",
     "Usage: cairn explain FILE [--model M] [--level L] [--html OUT] [--limit-extra S]\n"
     "                     [--limit-time T] [--limit-mem SIZE] [reading options as in cairn "
     "check]\n"
     "\n"
     "Judges as cairn check does, and writes one HTML file that needs nothing else: a timeline of\n"
     "all processes with the faults, the contradiction with the reason of each step or the order\n"
     "that explains the history, and which other levels hold. Exit codes as cairn check.\n"
     "\n"
     "  --html OUT        - for standard output; default: FILE with .html in place of its ending\n"
     "  --limit-extra S   seconds for making the contradiction small, and as many again for the\n"
     "                    other levels (default 5); what is not decided by then is shown so\n"
     "\n"
     "  cairn explain history.jsonl\n"
     "  cairn explain store.edn --level snapshot-isolation --html store.html\n"},
    {"lint", cmd_lint, "what is wrong with a history itself",
     "Usage: cairn lint FILE [--json] [--quiet] [reading options]\n"
     "\n"
     "Reads a history of any format and says what is wrong or odd with it, with line numbers:\n"
     "an operation invoked twice, an end without a beginning, a process that goes on after an\n"
     "unknown outcome, clocks that go back, values written twice. FILE: - for standard input.\n"
     "Exit code 0: it can be judged (warnings and notes do not count); 3: it can't.\n"
     "\n"
     "  --quiet          no notes\n"
     "  --format F       auto, jsonl, edn, log, awdit, plume\n"
     "  --order time     the order of events is that of their times, not of their lines\n"
     "  --keyed          values are [key value], as jepsen.independent makes them\n"
     "  --initial V      what everything holds at first: JSON, or x=0,y=0\n"
     "  --numbers, --nil absent, --strict, --lenient: as in cairn check\n"
     "\n"
     "  cairn lint history.edn\n"
     "  cat history.jsonl | cairn lint - --json\n"},
    {"convert", cmd_convert, "a history in another format",
     "Usage: cairn convert FILE [--to jsonl|edn|awdit] [-o OUT] [reading options]\n"
     "\n"
     "Writes what was read to standard output or OUT. What the new format can't hold is counted\n"
     "on standard error. Reading options as in cairn lint.\n"
     "\n"
     "  cairn convert history.edn --to jsonl -o history.jsonl\n"},
    {"gen", cmd_gen, "make histories of a given level",
     "Usage: cairn gen [--model M] [--level L] [--clients N] [--ops N] [--keys K]\n"
     "                 [--values unique|N] [--info PERCENT] [--bad] [--seed S]\n"
     "                 [--to jsonl|edn|awdit] [-o OUT]\n"
     "\n"
     "The same options and seed make the same history. Of every model it can be linearizable (of\n"
     "transactions, strict-serializable); of register and of transactions, of any level.\n"
     "\n"
     "  --values N       N different values; unique (default): each is written once\n"
     "  --info PERCENT   of operations whose outcome stays unknown\n"
     "  --bad            with a few operations that violate the level\n"
     "\n"
     "  cairn gen --model queue --clients 10 --ops 1000 | cairn check -\n"
     "  cairn gen --level causal --keys 3 --bad --seed 7 -o bad.jsonl\n"},
    {"shrink", cmd_shrink, "the few operations that violate a level",
     "Usage: cairn shrink FILE [--model M] [--level L] [--out FILE] [--json]\n"
     "                    [--limit-time T] [--limit-mem SIZE] [reading options as in cairn check]\n"
     "\n"
     "Drops operations while the rest still violates the level, together with the reads that\n"
     "depend on them, until none can be dropped. --out writes what is left as JSON lines. Exit\n"
     "codes as cairn check: 1 when there is a violation.\n"
     "\n"
     "  cairn shrink history.jsonl --level causal --out small.jsonl\n"},
    {"verify", cmd_verify, "check a proof of cairn check again",
     "Usage: cairn verify FILE PROOF [reading options as in cairn check]\n"
     "\n"
     "Checks the order, or the contradiction, that cairn check --proof wrote, by separate plain\n"
     "routines: an order is replayed, each edge of a cycle is looked up in the history, a small\n"
     "counterexample is tried in every order. Exit code 0: it is right; 1: it is wrong; 2: it has\n"
     "nothing that can be checked; 3: the files don't fit each other.\n"
     "\n"
     "  cairn check history.jsonl --proof proof.json; cairn verify history.jsonl proof.json\n"},
    {"torture", cmd_torture, "real processes, faults, a history, a verdict",
     "Usage: cairn torture [--plan FILE] [--target cairn|cairn-tree|redis|zookeeper|etcd]\n"
     "                     [--workload NAME] [--time S] [--nodes N] [--clients N] [--seed N] "
     "[--dir DIR] [--json] "
     "...\n"
     "\n"
     "Starts servers on loopback, puts a fault proxy between them, carries out the plan of "
     "faults,\n"
     "writes down what clients saw, and asks the judge. Workloads: register, cas, append, "
     "counter,\n"
     "bank, set, queue, lock. Exit code 0: the level holds; 1: violated; 2: undecided; 3: the run\n"
     "could not be made.\n"
     "\n"
     "  --plan FILE      faults, and what the run is unless said here (docs/torture.md)\n"
     "  --addresses A,B  running servers instead of started ones\n"
     "  --level NAME     what to judge (default linearizable; of ZooKeeper and cairn's tree "
     "without\n"
     "                   --sync sequential, for their reads may be stale)\n"
     "  --heal S         after the faults (default 3), before the last reads\n"
     "  --keys N         default 4;  --reads PERCENT default 50;  --think-us N  between "
     "operations\n"
     "  --timeout-ms N   after which an operation's fate is unknown (default 2000)\n"
     "  --sync           ZooKeeper, cairn-tree: sync before each read;  --stale  etcd: "
     "serializable reads\n"
     "  --stay           a client keeps to its node as long as it can\n"
     "  --set S.K=V      a setting of cairn's servers;  --judge-time S  at most (default 60)\n"
     "  --shrink         when it fails: the smallest plan that still does (--tries N runs each)\n"
     "\n"
     "  cairn torture --plan plans/partition-and-kill.ini --time 60\n"
     "  cairn torture --plan plans/redis-lost-update.ini --shrink\n"},
    {"completion", cmd_completion, "shell completion",
     "Usage: cairn completion bash\n"
     "\n"
     "  eval \"$(cairn completion bash)\"\n"},
    {"reference", cmd_reference, NULL,
     "Usage: cairn reference\n\nPrints docs/reference.md from the program's own tables.\n"},
};

const char *exit_code_text(int code) {
    static const char *const texts[] = {
        [EXIT_FINE] = "done; the answer is yes",
        [EXIT_NO] = "the answer is no, or it failed: a sentence says why",
        [EXIT_UNDECIDED] = "undecided, or of unknown fate",
        [EXIT_MISUSE] = "misuse, or bad input: a sentence says what is wrong with it"};
    return code >= 0 && code <= EXIT_MISUSE ? texts[code] : NULL;
}

const struct subcommand *subcommand_at(int n) {
    return n >= 0 && (size_t)n < sizeof subcommands / sizeof *subcommands ? &subcommands[n] : NULL;
}

static void print_help(FILE *out) {
    fprintf(out, "cairn " CAIRN_VERSION ": replicated state that survives\n\n"
                 "Usage: cairn COMMAND [ARGUMENT...]\n\nCommands:\n");
    for (int i = 0; subcommand_at(i) != NULL; i++)
        if (subcommand_at(i)->summary != NULL)
            fprintf(out, "  %-11s %s\n", subcommand_at(i)->name, subcommand_at(i)->summary);
    fprintf(out, "\ncairn COMMAND --help explains one. A first session:\n"
                 "  cairn dev\n  cairn shell set a 1\n");
}

static bool wants_help(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static const struct subcommand *find(const char *name) {
    for (int i = 0; subcommand_at(i) != NULL; i++)
        if (strcmp(name, subcommand_at(i)->name) == 0)
            return subcommand_at(i);
    fprintf(stderr, "cairn: there is no command '%s'; cairn --help lists them\n", name);
    return NULL;
}

static int explain(const struct subcommand *subcommand) {
    printf("cairn %s: %s\n\n%s", subcommand->name,
           subcommand->summary ? subcommand->summary : "for documents", subcommand->help);
    return EXIT_FINE;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_MISUSE;
    }
    bool helps = strcmp(argv[1], "help") == 0;
    if ((helps && argc == 2) || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return EXIT_FINE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("cairn " CAIRN_VERSION "\n");
        return EXIT_FINE;
    }
    const struct subcommand *subcommand = find(argv[helps ? 2 : 1]);
    if (subcommand == NULL)
        return EXIT_MISUSE;
    if (helps || wants_help(argc - 1, argv + 1))
        return explain(subcommand);
    return subcommand->run(argc - 1, argv + 1);
}
