/* The judge's specification a second time, as plainly as can be: what each operation of each model
 * may have answered, and every order of a tiny history tried. It shares no line with check/spec.h,
 * by which exhaustive.c and the checkers replay: an answer that those overlook is found here.
 */
#ifndef CAIRN_TESTS_PLAIN_ORDERS_H
#define CAIRN_TESTS_PLAIN_ORDERS_H

#include "check/model.h"

/* Is there a legal order that contains real time, or every process's order? Of single operations,
 * at most EXHAUSTIVE_OPS_MAX, with integers and short texts as values. Drains of unordered queues
 * are taken apart (check/drains.h). */
bool plain_orders(const struct history *history, enum model model, bool real_time);

#endif
