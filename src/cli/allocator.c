/* How the program's allocator deals with memory that nothing needs any more. Nothing here where it is the C library's, or a
 * sanitizer's. */
#ifdef FENNEC_MIMALLOC
#include <mimalloc.h>
#include <sys/prctl.h>

#define VERSION_AFTER 210 /* where these options are others */

/* Pages without anything in them go back to the system at once: a thread that has nothing to do would not do it later. Whoever
 * has set MIMALLOC_DECOMMIT_DELAY or its like has the last word.
 *
 * And a page is a page. The kernel gives two megabytes to the first byte that is touched where it may, which it does on many
 * systems unasked (transparent_hugepage/enabled), and an allocator that maps its memory in large pieces then takes them for each
 * thread. Here that made idle servers larger by a third, and nothing faster. */
static void set_up(void) {
    if (mi_version() < VERSION_AFTER) {
        mi_option_set_default(mi_option_decommit_delay, 0);
        mi_option_set_default(mi_option_segment_decommit_delay, 0);
    }
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* Before the libraries' own beginnings, which allocate. */
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = set_up;
#endif
