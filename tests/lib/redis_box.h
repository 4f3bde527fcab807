/* A Redis front end in a box: on a real machine of keys, with a node and an env that are plain
 * queues. The test says when the node carries out the next request, and when a client reads;
 * nothing runs by itself. It takes the place of the node library: a program links one or the other.
 */
#ifndef CAIRN_TESTS_REDIS_BOX_H
#define CAIRN_TESTS_REDIS_BOX_H

#include "front/redis/redis.h"

struct redis_box;
struct redis_box_client;

struct redis_box *redis_box_new(const struct redis_options *options);
void redis_box_free(struct redis_box *box);
struct redis_front *redis_box_front(struct redis_box *box);

/* A client's end of a connection; lives as long as the box. NULL: it was turned away. It reads
 * whatever it is sent, until it is told not to. */
struct redis_box_client *redis_box_connect(struct redis_box *box, const char *address);
void redis_box_send(struct redis_box_client *client, struct bytes bytes);
/* A command, its words parted by single blanks. */
void redis_box_say(struct redis_box_client *client, const char *words);
/* It sends nothing more, and reads on. */
void redis_box_end(struct redis_box_client *client);
/* It is gone: the front end's next look at it finds an error. */
void redis_box_hang_up(struct redis_box_client *client);
void redis_box_reads(struct redis_box_client *client, bool reads);
/* The front end takes what the client sends. */
bool redis_box_is_heard(const struct redis_box_client *client);
bool redis_box_closed(const struct redis_box_client *client);
/* What it read, NUL-terminated, and forgets. */
const char *redis_box_take(struct redis_box_client *client);
/* What it was sent and did not read. */
size_t redis_box_unread(const struct redis_box_client *client);
size_t redis_box_got(const struct redis_box_client *client);

/* The node carries out its oldest request that may be; false: there is none. */
bool redis_box_step(struct redis_box *box);
/* All of them, with turns, until nothing happens any more. */
void redis_box_settle(struct redis_box *box);
void redis_box_turn(struct redis_box *box);
/* Time passes: timers fire. */
void redis_box_wait(struct redis_box *box, uint64_t ms);
/* So many bytes of answers are being made. */
void redis_box_gather(struct redis_box *box, size_t bytes);
/* Commands that the machine carried out. */
uint64_t redis_box_executed(const struct redis_box *box);
/* The last line that was logged, and how many there were. */
const char *redis_box_log(const struct redis_box *box, unsigned *lines);

#endif
