#include "torture/proxy.h"

/* A lost packet is sent again after about this time, then after twice as much. */
#define RESEND_NS 200000000ull
#define RESENDS_MAX 4u

static uint64_t resend_ns(struct prng *prng, uint32_t percent) {
    uint64_t wait = RESEND_NS, sum = 0;
    for (unsigned i = 0; i < RESENDS_MAX && prng_chance(prng, percent, 100); i++) {
        sum += wait;
        wait *= 2;
    }
    return sum;
}

struct proxy_verdict proxy_judge(const struct proxy_link *link, struct proxy_flow *flow,
                                 uint64_t now_ns, size_t len) {
    struct proxy_verdict verdict = {.due_ns = now_ns, .len = len};
    if (link->blocked > 0) {
        verdict.hold = true;
        return verdict;
    }
    uint64_t delay_us = link->delay_us, jitter_us = link->jitter_us;
    if (jitter_us > 0) {
        uint64_t least = delay_us > jitter_us ? delay_us - jitter_us : 0;
        delay_us = prng_between(&flow->prng, least, delay_us + jitter_us);
    }
    verdict.due_ns += delay_us * 1000 + resend_ns(&flow->prng, link->loss_percent);
    if (verdict.due_ns < flow->last_due_ns)
        verdict.due_ns = flow->last_due_ns;
    flow->last_due_ns = verdict.due_ns;
    if (link->cuts != flow->cuts_seen) {
        flow->cuts_seen = link->cuts;
        verdict.cut = true;
        verdict.len = len > 1 ? prng_between(&flow->prng, 1, len - 1) : 0;
    }
    return verdict;
}
