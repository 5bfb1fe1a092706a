/* Members of deltas that nobody here knows, in the pieces in which they come: sound, pictures, annotations and whatever else
 * services add. One thread at a time. */
#pragma once

struct json_t;
struct json_writer;

/* Takes one piece of the member into `pieces`, a JSON object that is empty at the beginning and nobody else's. null says
 * nothing. */
void collected_members_take(struct json_t *pieces, const char *name, struct json_t *value);
/* Writes the members, each put together: texts are joined, lists too, objects member by member. Of an id, type or name, and
 * of anything else, the last piece counts, and so does its form where they differ. */
void collected_members_put(const struct json_t *pieces, struct json_writer *json);
