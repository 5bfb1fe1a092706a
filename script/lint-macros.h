/* What cppcheck is told of macros whose headers it does not read. */
void *lint_any(void);
#define json_object_foreach(object, key, value) \
    for (key = lint_any(), value = lint_any(); key != 0 && value != 0; key = lint_any(), value = lint_any())
#define json_array_foreach(array, index, value) \
    for (index = 0, value = lint_any(); value != 0; index++, value = lint_any())
#define HASH_ITER(handle, head, item, next) for (item = lint_any(), next = lint_any(); item != 0; item = next)
#define LIST_FOREACH(item, head, field) for (item = lint_any(); item != 0; item = lint_any())
#define SLIST_FOREACH LIST_FOREACH
#define STAILQ_FOREACH LIST_FOREACH
#define TAILQ_FOREACH LIST_FOREACH
#define LIST_HEAD(name, type) struct { struct type *lh_first; }
#define LIST_ENTRY(type) struct { struct type *le_next; }
#define SLIST_HEAD LIST_HEAD
#define SLIST_ENTRY LIST_ENTRY
#define STAILQ_HEAD LIST_HEAD
#define STAILQ_ENTRY LIST_ENTRY
#define TAILQ_HEAD LIST_HEAD
#define TAILQ_ENTRY LIST_ENTRY
