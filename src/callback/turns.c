/* Whose turn it is: lanes that are due are looked into one after the other, as places and circuits allow. Loop. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "callback/inside.h"

#define TICK_MIN_MS 20      /* lanes whose times lie so close together wake as one */
#define TICK_MAX_REAL_MS 1000
#define FULL_MS 100         /* until an account that has no place is looked at again */
#define TROUBLE_MS 1000     /* until what could not be read is read again */
#define SLEEP_MAX_MS 600000 /* a lane is looked into so often, in case the wall clock was set */
#define LATE_BATCH 256

/* ---- what the end of a try says ---- */

static void set_open(struct callbacks *callbacks, struct lane *lane, int64_t since_ms) {
    bool was = lane->open_since_ms != 0, is = since_ms != 0;
    lane->open_since_ms = since_ms;
    if (is && !was)
        callbacks_count(callbacks, open, 1);
    if (was && !is)
        callbacks_count(callbacks, open, (uint64_t)-1);
}

struct late_job {
    struct store_job job;
    struct callbacks *callbacks;
    int64_t account, count;
    char lane[CALLBACK_LANE_SIZE];
};

static void write_late(struct store_tx *tx, struct store_job *job) {
    struct late_job *late = container_of(job, struct late_job, job);
    store_tx_give_up_late_callbacks(tx, late->account, text_of(late->lane), clock_wall_ms(), LATE_BATCH, &late->count);
}

/* Writer's thread. */
static void wrote_late(struct store_job *job, enum err err) {
    struct late_job *late = container_of(job, struct late_job, job);
    struct callbacks *callbacks = late->callbacks;
    bool more = err == OK && late->count == LATE_BATCH;
    pthread_mutex_lock(&callbacks->mutex);
    callbacks->late_count += err == OK ? late->count : 0;
    callbacks->written_late += !more;
    if (!more)
        callbacks_tell(callbacks);
    pthread_mutex_unlock(&callbacks->mutex);
    if (more)
        store_post_always(callbacks->store, job);
    else
        free(late);
}

/* The receiver has been dead for long: deliveries that its open circuit has kept beyond their time end. */
static void give_up_late(struct callbacks *callbacks, const struct lane *lane) {
    struct late_job *late = mem_new(sizeof(*late));
    late->job = (struct store_job){ .run = write_late, .done = wrote_late };
    late->callbacks = callbacks;
    late->account = lane_account(lane);
    snprintf(late->lane, sizeof(late->lane), "%.*s", TEXT_ARG(lane_name(lane)));
    callbacks->late_jobs++;
    store_post_always(callbacks->store, &late->job);
}

void turns_heard(struct callbacks *callbacks, struct lane *lane, enum receiver_word word, int64_t at_least_ms) {
    const struct breaker_policy *policy = &callbacks->options.breaker;
    int64_t now_ms = clock_monotonic_ms();
    uint32_t random;
    crypto_random(&random, sizeof(random));
    if (lane->test)
        return;
    if (word == RECEIVER_WORKS) {
        breaker_worked(&lane->breaker);
        set_open(callbacks, lane, 0);
        return;
    }
    bool opened = true;
    if (word == RECEIVER_IS_FULL && at_least_ms > 0)
        breaker_trip(&lane->breaker, policy, at_least_ms, now_ms, random);
    else
        opened = breaker_failed(&lane->breaker, policy, now_ms, random);
    if (!opened)
        return;
    if (lane->open_since_ms == 0)
        log_event(LOG_INFO, "a callback receiver is left alone for a while", LOG_T("receiver", lane_name(lane)),
                  LOG_I("account", lane_account(lane)), LOG_I("ms", lane->breaker.until_ms - now_ms));
    set_open(callbacks, lane, lane->open_since_ms != 0 ? lane->open_since_ms : now_ms);
    if (now_ms - lane->open_since_ms >= callbacks->options.open_before_late_ms)
        give_up_late(callbacks, lane);
}

/* ---- a look begins ---- */

static void copy_under_way(struct callbacks *callbacks, struct look_lane *into) {
    const struct delivery *delivery = callbacks->under_way;
    into->skip = mem_new_array(into->lane->running + 1, sizeof(*into->skip));
    into->skip_count = 0;
    for (; delivery != NULL; delivery = delivery->hh.next)
        if (delivery->lane == into->lane && !delivery->ended && into->skip_count < into->lane->running)
            memcpy(into->skip[into->skip_count++], delivery->row.id, CALLBACK_ID_SIZE);
}

static unsigned places_left(unsigned max, unsigned taken) {
    return taken < max ? max - taken : 0;
}

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Adds the lane to the look, or puts it where it waits. `left`: places for all lanes; what it may take of them is
 * returned. */
static unsigned add_lane(struct callbacks *callbacks, struct lane *lane, unsigned left, int64_t now_ms) {
    const struct callbacks_options *options = &callbacks->options;
    struct look *look = &callbacks->look;
    int64_t wait_ms = lane->test ? 0 : breaker_wait_ms(&lane->breaker, now_ms);
    unsigned own = places_left(options->lane_running_max, lane->running);
    unsigned of_account = places_left(options->account_running_max, lane->owner->running);
    if (own == 0) {
        lane_be_idle(&callbacks->lanes, lane); /* until one of its tries ends */
        return 0;
    }
    if (wait_ms > 0 || of_account == 0) {
        lane_sleep(&callbacks->lanes, lane, now_ms + (wait_ms > 0 ? wait_ms : FULL_MS));
        return 0;
    }
    struct look_lane *into = &look->lanes[look->lane_count++];
    *into = (struct look_lane){ .lane = lane, .account = lane_account(lane) };
    snprintf(into->name, sizeof(into->name), "%.*s", TEXT_ARG(lane_name(lane)));
    into->want = least(least(own, of_account), left);
    if (!lane->test && lane->breaker.state != BREAKER_CLOSED)
        into->want = 1;
    copy_under_way(callbacks, into);
    lane_be_looked_into(&callbacks->lanes, lane);
    return into->want;
}

static void add_lanes(struct callbacks *callbacks, int64_t now_ms) {
    unsigned left = places_left(callbacks->options.running_max, callbacks->running);
    struct lane *lane, *next;
    callbacks->look.bytes_left = callbacks->body_bytes < BODIES_MAX ? BODIES_MAX - callbacks->body_bytes : 0;
    if (callbacks->look.bytes_left == 0)
        return;
    for (lane = TAILQ_FIRST(&callbacks->lanes.ready); lane != NULL; lane = next) {
        next = TAILQ_NEXT(lane, link);
        if (left == 0 || callbacks->look.lane_count == LOOK_LANES_MAX)
            break;
        left -= add_lane(callbacks, lane, left, now_ms);
    }
}

static void add_notes(struct callbacks *callbacks) {
    struct look *look = &callbacks->look;
    pthread_mutex_lock(&callbacks->mutex);
    look->note_count = least(callbacks->note_count, LOOK_NOTES_MAX);
    memcpy(look->notes, callbacks->notes, look->note_count * sizeof(look->notes[0]));
    callbacks->note_count -= look->note_count;
    memmove(callbacks->notes, callbacks->notes + look->note_count, callbacks->note_count * sizeof(look->notes[0]));
    callbacks->scan_wanted |= callbacks->notes_missed;
    callbacks->notes_missed = false;
    pthread_mutex_unlock(&callbacks->mutex);
}

static void add_scan(struct callbacks *callbacks, int64_t now_ms) {
    struct look *look = &callbacks->look;
    uint64_t generation = store_generation(callbacks->store);
    look->scan = look->scan_over = false;
    look->due_count = -1;
    if (!callbacks->scanning && (callbacks->scan_wanted || generation != callbacks->generation ||
                                 now_ms >= callbacks->scan_due_ms)) {
        callbacks->scanning = true;
        callbacks->scan_wanted = false;
        callbacks->generation = generation;
        look->scan_account = 0;
        look->scan_lane[0] = '\0';
    }
    look->scan = callbacks->scanning;
}

static void look_over(uv_work_t *work, int status) {
    struct callbacks *callbacks = container_of(work, struct look, work)->callbacks;
    (void)status;
    callbacks->looking = false;
    turns_looked(callbacks);
    turns_go_on(callbacks);
    callbacks_check_idle(callbacks);
}

static void begin_look(struct callbacks *callbacks, int64_t now_ms) {
    struct look *look = &callbacks->look;
    if (callbacks->looking || callbacks->stopping)
        return;
    look->callbacks = callbacks;
    look->lane_count = look->found_count = 0;
    look->err = OK;
    add_notes(callbacks);
    add_scan(callbacks, now_ms);
    add_lanes(callbacks, now_ms);
    if (look->lane_count == 0 && look->note_count == 0 && !look->scan)
        return;
    look->found_max = look->note_count * NOTE_FOUND_MAX + (look->scan ? LOOK_FOUND_MAX : 0);
    look->found = mem_new_array(look->found_max + 1, sizeof(*look->found));
    int failure = uv_queue_work(callbacks->loop, &look->work, look_work, look_over);
    assert(failure == 0);
    (void)failure;
    callbacks->looking = true;
}

/* ---- a look has come back ---- */

static struct delivery *find_under_way(const struct callbacks *callbacks, const char *id) {
    struct delivery *delivery = NULL;
    HASH_FIND_STR(callbacks->under_way, id, delivery);
    return delivery;
}

/* Whether it may begin as things stand now: they have changed while it was looked for. */
static bool may_begin(struct callbacks *callbacks, const struct lane *lane, const struct delivery *delivery,
                      int64_t now_ms) {
    if (callbacks->stopping || find_under_way(callbacks, delivery->row.id) != NULL)
        return false;
    if (delivery->kind == DELIVERY_GIVE_UP)
        return true;
    return lane->owner->running < callbacks->options.account_running_max &&
        (lane->test || breaker_wait_ms(&lane->breaker, now_ms) == 0);
}

static void begin(struct callbacks *callbacks, struct lane *lane, struct delivery *delivery, int64_t now_ms) {
    delivery->lane = lane;
    delivery->body_size = delivery->body.len;
    callbacks->body_bytes += delivery->body_size;
    HASH_ADD_STR(callbacks->under_way, row.id, delivery);
    callbacks->under_way_count++;
    callbacks->running++;
    lane->running++;
    lane->owner->running++;
    atomic_store_explicit(&callbacks->counters.running, callbacks->running, memory_order_relaxed);
    if (delivery->kind == DELIVERY_TRY && !lane->test)
        breaker_begin(&lane->breaker, now_ms);
    delivery_begin(delivery);
}

static void settle_lane(struct callbacks *callbacks, struct look_lane *looked, bool left_out, int64_t now_ms) {
    struct lanes *lanes = &callbacks->lanes;
    struct lane *lane = looked->lane;
    bool again = lane->again || looked->more || left_out;
    lane_be_idle(lanes, lane);
    if (looked->err != OK)
        lane_sleep(lanes, lane, now_ms + TROUBLE_MS);
    else if (again && left_out && lane->owner->running >= callbacks->options.account_running_max)
        lane_sleep(lanes, lane, now_ms + FULL_MS);
    else if (again)
        lane_be_ready(lanes, lane);
    else if (looked->next_due_ms > 0) {
        int64_t wait_ms = looked->next_due_ms - clock_wall_ms();
        lane_sleep(lanes, lane, now_ms + (wait_ms < SLEEP_MAX_MS ? wait_ms : SLEEP_MAX_MS));
    } else if (looked->held)
        lane_sleep(lanes, lane, now_ms + SLEEP_MAX_MS); /* whoever answers its client will tell */
    else if (lane->running == 0) {
        set_open(callbacks, lane, 0);
        lane_remove(lanes, lane);
    }
}

static void take_looked(struct callbacks *callbacks, struct look_lane *looked, int64_t now_ms) {
    struct delivery *delivery;
    bool left_out = false;
    while ((delivery = STAILQ_FIRST(&looked->found)) != NULL) {
        STAILQ_REMOVE_HEAD(&looked->found, link);
        if (may_begin(callbacks, looked->lane, delivery, now_ms)) {
            begin(callbacks, looked->lane, delivery, now_ms);
        } else {
            left_out = true;
            delivery_free(delivery);
        }
    }
    settle_lane(callbacks, looked, left_out, now_ms);
}

static void take_found(struct callbacks *callbacks, const struct found_lane *found, int64_t now_ms) {
    struct lane *lane = lane_ensure(&callbacks->lanes, found->account, text_of(found->name));
    if (lane == NULL)
        return; /* there are too many; the next scan comes by again */
    if (found->hurry) {
        lane->breaker = (struct breaker){ .state = BREAKER_CLOSED };
        set_open(callbacks, lane, 0);
    }
    int64_t wait_ms = found->hurry ? 0 : found->due_ms - clock_wall_ms();
    lane_wake(&callbacks->lanes, lane, now_ms + (wait_ms < SLEEP_MAX_MS ? wait_ms : SLEEP_MAX_MS), now_ms);
}

static void take_scan(struct callbacks *callbacks, int64_t now_ms) {
    const struct look *look = &callbacks->look;
    if (look->err != OK) { /* what was missed is found by looking through all */
        callbacks->scanning = false;
        callbacks->scan_due_ms = now_ms + TROUBLE_MS;
        return;
    }
    if (look->due_count >= 0)
        atomic_store_explicit(&callbacks->counters.due, look->due_count, memory_order_relaxed);
    if (!look->scan || !look->scan_over)
        return;
    callbacks->scanning = false;
    callbacks->scan_due_ms = now_ms + callbacks->options.scan_period_ms;
}

/* The look that may have seen them due is over. */
static void forget_ended(struct callbacks *callbacks) {
    struct delivery *delivery, *next;
    HASH_ITER(hh, callbacks->under_way, delivery, next) {
        if (!delivery->ended)
            continue;
        HASH_DELETE(hh, callbacks->under_way, delivery);
        delivery_free(delivery);
    }
}

void turns_looked(struct callbacks *callbacks) {
    struct look *look = &callbacks->look;
    int64_t now_ms = clock_monotonic_ms();
    for (unsigned i = 0; i < look->lane_count; i++)
        take_looked(callbacks, &look->lanes[i], now_ms);
    for (unsigned i = 0; i < look->found_count; i++)
        take_found(callbacks, &look->found[i], now_ms);
    take_scan(callbacks, now_ms);
    forget_ended(callbacks);
    look_free(look);
    atomic_store_explicit(&callbacks->counters.lanes, callbacks->lanes.count, memory_order_relaxed);
}

/* ---- a try is over ---- */

void turns_ended(struct callbacks *callbacks, struct delivery *delivery) {
    struct lane *lane = delivery->lane;
    int64_t now_ms = clock_monotonic_ms();
    callbacks->under_way_count--;
    callbacks->running--;
    callbacks->body_bytes -= delivery->body_size;
    lane->running--;
    lane->owner->running--;
    atomic_store_explicit(&callbacks->counters.running, callbacks->running, memory_order_relaxed);
    lane_wake(&callbacks->lanes, lane, now_ms, now_ms);
    delivery->lane = NULL;
    if (callbacks->looking) {
        delivery->ended = true;
        return;
    }
    HASH_DELETE(hh, callbacks->under_way, delivery);
    delivery_free(delivery);
}

/* ---- the clock ---- */

static void arm(struct callbacks *callbacks, int64_t next_ms, int64_t now_ms) {
    if (!STAILQ_EMPTY(&callbacks->stalled) && callbacks->stalled_until_ms < next_ms)
        next_ms = callbacks->stalled_until_ms;
    int64_t wait_ms = next_ms - now_ms, most_ms = clock_from_real_ms(TICK_MAX_REAL_MS);
    if (wait_ms > most_ms)
        wait_ms = most_ms;
    if (wait_ms < TICK_MIN_MS)
        wait_ms = TICK_MIN_MS;
    uv_timer_start(&callbacks->timer, callbacks_tick, clock_timer_ms(wait_ms), 0);
}

void turns_go_on(struct callbacks *callbacks) {
    int64_t now_ms = clock_monotonic_ms();
    if (callbacks->over)
        return;
    if (!STAILQ_EMPTY(&callbacks->stalled) && now_ms >= callbacks->stalled_until_ms)
        delivery_post_stalled(callbacks);
    callbacks_end_watches(callbacks, now_ms);
    int64_t next_ms = lanes_wake_due(&callbacks->lanes, now_ms);
    begin_look(callbacks, now_ms);
    arm(callbacks, next_ms, now_ms);
}
