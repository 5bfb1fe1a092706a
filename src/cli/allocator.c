/* How the program's allocator deals with memory that nothing needs any more. Nothing here where it is the C library's, or a
 * sanitizer's. */
#ifdef FENNEC_MIMALLOC
#include <mimalloc.h>
#include <sys/prctl.h>

#include "base/memory.h"

#define VERSION_AFTER 210 /* where these options are others */
#define MOMENT_MS 1000    /* its own is 25, in which calls' memory goes and comes back page by page */

static void set_delay(bool thrift) {
    mi_option_set(mi_option_decommit_delay, thrift ? 0 : MOMENT_MS);
}

/* A page is a page. The kernel gives two megabytes to the first byte that is touched where it may, which it does on many systems
 * unasked (transparent_hugepage/enabled), and an allocator that maps its memory in large pieces then takes them for each thread.
 * Here that made idle servers larger by a third, and nothing faster. */
static void set_up(void) {
    if (mi_version() < VERSION_AFTER) {
        mi_option_set(mi_option_segment_decommit_delay, 0);
        set_delay(true); /* for what the start takes and frees */
        mem_set_thrift(set_delay);
    }
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* Before the libraries' own beginnings, which allocate. */
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = set_up;
#endif
