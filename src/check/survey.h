/* How much of a history a verdict rests on: a level holds of any history in which nothing is known
 * to have happened, so every verdict says what was judged, and a history without a single known
 * operation is refused unless that is what was wanted.
 */
#ifndef CAIRN_CHECK_SURVEY_H
#define CAIRN_CHECK_SURVEY_H

#include "check/history.h"

struct survey {
    uint32_t ops;             /* that happened, or may have: all but the failed ones */
    uint32_t known;           /* of these: that were answered */
    uint32_t open, failed;    /* of unknown fate; surely not executed */
    uint32_t processes, keys; /* of `ops`; keys: 0 where the object has none */
    uint32_t reads, answered; /* single ones, and those within transactions; with a known answer */
};

void survey_take(struct survey *survey, const struct history *history);
/* "judged: 600 operations of 8 processes on 3 keys; 12 of unknown fate; 300 reads with an answer"
 */
void survey_tell(const struct survey *survey, struct buf *out);
/* The same as a JSON object. */
void survey_json(const struct survey *survey, struct buf *out);
/* True: nothing is known of this history, so that any level holds; `why` says what is there. */
bool survey_is_empty(const struct survey *survey, struct buf *why);

#endif
