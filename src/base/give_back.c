/* Freed memory between things that live stays with the C library, and pages that were read once stay with the
 * process, until somebody asks. */
#include "base/give_back.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORTH_IT ((size_t)8 << 20)

void give_back_heap(void) {
    static size_t after; /* what was free after the last time: of it the pages are the system's already */
    size_t unused = mallinfo2().fordblks;
    if (unused < after)
        after = unused;
    if (unused - after < WORTH_IT)
        return;
    malloc_trim(0);
    after = mallinfo2().fordblks;
}

/* What cannot be written is as it is in the file; but for a debugger's breakpoints, which are lost. */
static int give_back_object(struct dl_phdr_info *object, size_t size, void *context) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)context;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_W) != 0)
            continue;
        uintptr_t begin = (object->dlpi_addr + part->p_vaddr) / page * page;
        uintptr_t end = object->dlpi_addr + part->p_vaddr + part->p_memsz;
        madvise((void *)begin, end - begin, MADV_DONTNEED); /* the vdso refuses, and keeps its page */
    }
    return 0;
}

void give_back_start(void) {
    malloc_trim(0);
    dl_iterate_phdr(give_back_object, NULL);
}
