#include "core/lease.h"

#define MILLION 1000000u

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

uint64_t lease_limited(uint64_t asked_ns) {
    return asked_ns < LEASE_NS_MAX ? asked_ns : LEASE_NS_MAX;
}

void lease_promise_start(struct lease_promise *promise, uint64_t length_ns, uint64_t now) {
    *promise = (struct lease_promise){.asked_ns = length_ns, .length_ns = length_ns};
    promise->start_end = length_ns > 0 ? now + length_ns : 0;
}

bool lease_ask(struct lease_promise *promise, uint64_t asked_ns, uint64_t patience_ns,
               uint64_t now) {
    promise->asked_ns = lease_limited(asked_ns < patience_ns ? asked_ns : patience_ns);
    if (promise->asked_ns == promise->length_ns)
        return false;
    /* A shorter one is remembered only once a life that begins now would not break a longer one. */
    if (promise->asked_ns < promise->length_ns &&
        lease_promise_end(promise) > now + promise->asked_ns)
        return false;
    promise->length_ns = promise->asked_ns;
    return true;
}

void lease_renew(struct lease_promise *promise, uint64_t now) {
    if (promise->asked_ns > 0)
        promise->end = later(promise->end, now + promise->asked_ns);
}

void lease_release(struct lease_promise *promise) {
    promise->end = 0;
}

uint64_t lease_promise_end(const struct lease_promise *promise) {
    return later(promise->end, promise->start_end);
}

uint64_t lease_until(uint64_t sent_at, uint64_t promised_ns, uint32_t drift_ppm) {
    if (sent_at == 0 || promised_ns == 0)
        return 0;
    return sent_at + lease_limited(promised_ns) / (MILLION + drift_ppm) * (MILLION - drift_ppm);
}
