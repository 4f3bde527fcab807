/* Slots: every key of a keyspace belongs to one of 16,384, counted as Redis Cluster counts them
 * (CRC-16 of the key, or of the part between the first '{' and the next '}' if that is not empty).
 */
#ifndef CAIRN_CORE_SLOT_H
#define CAIRN_CORE_SLOT_H

#include "base/bytes.h"

#define SLOT_COUNT 16384

uint16_t slot_of_key(struct bytes key);

#endif
