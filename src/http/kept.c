/* The responses that an HTTP thread keeps because they are asked for again and again: libmicrohttpd takes a dozen pieces of
 * memory to make one.
 *
 * A table of sets: the tag is uniform, so it names the set, and each set has room for a few. What is asked for once leaves
 * its tag behind, what comes again is kept, and what was given since the last time gets a second chance when others want its
 * place. A response has the headers that belong to its body; those of an exchange are its for as long as the exchange lives,
 * and another one that asks meanwhile gets one of its own. */
#include <microhttpd.h>
#include <stdlib.h>

#include "http/internal.h"

#define SETS 512
#define WAYS 4
#define KEPT_BODY_MAX 2048 /* bytes */

struct kept {
    struct MHD_Response *response;
    const char *content_type;
    char *body; /* the response's */
    size_t length;
    bool given; /* to an exchange that has not ended */
};

struct slot {
    uint64_t tag;
    struct kept *kept; /* NULL: asked for once, or never */
    bool again;        /* asked for since it was last passed over */
};

struct set {
    struct slot slots[WAYS];
    unsigned next; /* whose turn it is to be replaced */
};

struct kept_table {
    struct set sets[SETS];
};

struct kept_table *kept_table_new(void) {
    return mem_table(sizeof(struct kept_table));
}

static void kept_free(struct kept *kept) {
    if (kept == NULL)
        return;
    MHD_destroy_response(kept->response);
    free(kept);
}

void kept_table_free(struct kept_table *table) {
    if (table == NULL)
        return;
    for (size_t i = 0; i < SETS; i++)
        for (size_t way = 0; way < WAYS; way++)
            kept_free(table->sets[i].slots[way].kept);
    mem_table_free(table, sizeof *table);
}

static struct slot *find_slot(struct set *set, uint64_t tag) {
    for (size_t i = 0; i < WAYS; i++)
        if (set->slots[i].tag == tag)
            return &set->slots[i];
    return NULL;
}

static bool may_go(struct slot *slot) {
    bool again = slot->again;

    slot->again = false;
    return !again && (slot->kept == NULL || !slot->kept->given);
}

/* Where all have been asked for since, their turn comes the next time. */
static void note_tag(struct set *set, uint64_t tag) {
    for (size_t i = 0; i < WAYS; i++) {
        struct slot *slot = &set->slots[set->next++ % WAYS];
        if (may_go(slot)) {
            kept_free(slot->kept);
            *slot = (struct slot){ .tag = tag };
            return;
        }
    }
}

static bool add_headers(struct MHD_Response *response, const char *content_type, const char *etag) {
    return MHD_add_response_header(response, "Content-Type", content_type) == MHD_YES &&
           MHD_add_response_header(response, "ETag", etag) == MHD_YES;
}

/* NULL: there is no memory, and it can do without. */
static struct kept *kept_new(const char *content_type, const char *etag, struct text body) {
    char *copy = text_dup(body);
    struct MHD_Response *response = MHD_create_response_from_buffer(body.len, copy, MHD_RESPMEM_MUST_FREE);

    if (response == NULL) {
        free(copy);
        return NULL;
    }
    if (!add_headers(response, content_type, etag)) {
        MHD_destroy_response(response);
        return NULL;
    }
    struct kept *kept = mem_new(sizeof *kept);
    *kept = (struct kept){ .response = response, .content_type = content_type, .body = copy, .length = body.len };
    return kept;
}

/* Two bodies may have one tag, if anybody takes the trouble to make them. */
static bool is_the_same(const struct kept *kept, const char *content_type, struct text body) {
    return text_equal((struct text){ kept->body, kept->length }, body) && strcmp(kept->content_type, content_type) == 0;
}

struct kept *kept_take(struct kept_table *table, const char *content_type, uint64_t tag, struct text body) {
    struct set *set = &table->sets[tag % SETS];

    if (body.len > KEPT_BODY_MAX)
        return NULL;
    struct slot *slot = find_slot(set, tag);
    if (slot == NULL) {
        note_tag(set, tag);
        return NULL;
    }
    slot->again = true;
    if (slot->kept == NULL) {
        char etag[ETAG_SIZE];
        etag_put(etag, tag);
        slot->kept = kept_new(content_type, etag, body);
    }
    struct kept *kept = slot->kept;
    if (kept == NULL || kept->given || !is_the_same(kept, content_type, body))
        return NULL;
    kept->given = true;
    return kept;
}

void kept_give_back(struct kept *kept) {
    kept->given = false;
}

struct MHD_Response *kept_response(const struct kept *kept) {
    return kept->response;
}
